-- One row per text that Zoom sent as a charge or a rate, of an engagement or a leg: its
-- amount. It is a number with a currency's symbol, perhaps a sign and thousands
-- separators; a text without digits is not an amount, nor is one that has no millionth or a
-- billion and more. `symbol` is all that is not part of the number.
-- Of two separators the last is the decimal one; one that stands twice, a space and an
-- apostrophe part thousands. One that stands once is decimal, unless three digits stand
-- behind it and one to three before it, not 0: then a point is decimal, as in Zoom's
-- document, while a comma may be either, so that there is no `amount`. What the text is
-- where an account says which one it writes is in `with_point` and `with_comma`.
-- @key charge
with texts as (
    select record['charge'] as charge
    from staging.zoom__voice_calls
    union distinct
    select unnest(list_transform(record['voice_call_details'], lambda x: x['charge'])) as charge
    from staging.zoom__voice_calls
    union distinct
    select rate as charge
    from staging.zoom__rates
),

written as (
    select
        charge,
        trim(regexp_replace(charge, '[\x{a0}\x{2009}\x{202f}]', ' ', 'g')) as text,
        try_cast(charge as decimal(15, 6)) is not null as is_plain,
        if(
            is_plain,
            '',
            regexp_extract(
                text,
                '^(?:[-+]?\s?[A-Z]{0,3}\p{Sc}?|[A-Z]{0,3}\p{Sc}?\s?[-+]?)\s?'
                || '([.,]?\d(?:[\d ''\x{2019}.,]*\d)?)(?:\s?(?:\p{Sc}|[A-Z]{3}))?$',
                1
            )
        ) as number,
        regexp_full_match(number, '[1-9]\d{0,2},\d{3}') as is_one_comma,
        regexp_full_match(number, '[1-9]\d{0,2}\.\d{3}') as is_one_point,
        if(not is_plain and contains(text, '-'), '-', '') as sign,
        sign || regexp_replace(number, '[^\d]', '', 'g') as thousands,
        sign || case
            when is_plain then charge
            when
                regexp_full_match(number, '\d*([.,]\d+)?')
                or regexp_full_match(number, '[1-9]\d{0,2}([ ''\x{2019}]\d{3})+([.,]\d+)?')
                then replace(regexp_replace(number, '[ ''\x{2019}]', '', 'g'), ',', '.')
            when regexp_full_match(number, '[1-9]\d{0,2}((,\d{3})+\.\d+|(,\d{3}){2,})')
                then replace(number, ',', '')
            when regexp_full_match(number, '[1-9]\d{0,2}((\.\d{3})+,\d+|(\.\d{3}){2,})')
                then replace(replace(number, '.', ''), ',', '.')
        end as digits
    from texts
    where charge is not null
),

read as (
    select
        *,
        list_transform(
            [
                if(is_one_comma, null, digits),
                if(is_one_comma, thousands, digits),
                if(is_one_point, thousands, digits)
            ],
            lambda x: case
                when try_cast(x as decimal(15, 6)) != 0 or try_cast(x as double) = 0
                    then try_cast(x as decimal(15, 6))::decimal(18, 6)
            end
        ) as amounts
    from written
)

select
    charge,
    amounts[1] as amount,
    amounts[2] as with_point,
    amounts[3] as with_comma,
    if(
        is_plain, '', regexp_replace(text, '[-+.,0-9\s''\x{2019}]', '', 'g')
    ) as symbol
from read
