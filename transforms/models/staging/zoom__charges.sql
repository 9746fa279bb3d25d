-- One row per text that Zoom sent as a charge or a rate, of an engagement or a leg: its
-- amount. It is a number with a currency's symbol, perhaps a sign and thousands
-- separators; a text without digits is no amount, nor is one that has no millionth or a
-- billion and more. `symbol` is all that is no part of the number.
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
)

select
    charge,
    case
        when try_cast(charge as decimal(15, 6)) is not null then charge
        when
            regexp_full_match(
                trim(charge),
                '([-+]?\s?[A-Z]{0,3}\p{Sc}?|[A-Z]{0,3}\p{Sc}?\s?[-+]?)\s?'
                || '([1-9]\d{0,2}(,\d{3})+|\d*)(\.\d+)?(\s?(\p{Sc}|[A-Z]{3}))?'
            )
            then regexp_replace(charge, '[^-+.0-9]', '', 'g')
    end as digits,
    case
        when try_cast(digits as decimal(15, 6)) != 0 or try_cast(digits as double) = 0
            then try_cast(digits as decimal(15, 6))::decimal(18, 6)
    end as amount,
    if(
        try_cast(charge as decimal(15, 6)) is null,
        regexp_replace(charge, '[-+.,0-9\s]', '', 'g'),
        ''
    ) as symbol
from texts
where charge is not null
