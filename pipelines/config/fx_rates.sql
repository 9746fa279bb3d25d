-- The rows of fx_rates.csv, given as text, and of each what is wrong with it.
with cells as (
    select
        coalesce(trim(date, ' ' || chr(9)), '') as written,
        coalesce(trim(from_currency, ' ' || chr(9)), '') as from_currency,
        coalesce(trim(to_currency, ' ' || chr(9)), '') as to_currency,
        coalesce(trim(rate, ' ' || chr(9)), '') as amount,
        coalesce(trim(source, ' ' || chr(9)), '') as source
    from lines
),

typed as (
    select
        *,
        case
            when regexp_full_match(written, '[0-9]{4}-[0-9]{2}-[0-9]{2}')
                then try_cast(written as date)
        end as date,
        case
            when regexp_full_match(amount, '[0-9]{1,9}([.][0-9]{1,10})?')
                then nullif(amount::decimal(19, 10), 0)
        end as rate
    from cells
    where concat(written, from_currency, to_currency, amount, source) != ''
)

select
    date,
    from_currency,
    to_currency,
    rate,
    source,
    [written, from_currency, to_currency, amount, source] as cells,
    case
        when date is null then 'date'
        when not regexp_full_match(from_currency, '[A-Z]{3}') then 'from_currency'
        when not regexp_full_match(to_currency, '[A-Z]{3}') then 'to_currency'
        when from_currency = to_currency then 'same'
        when rate is null then 'rate'
        when count(*) over (partition by date, from_currency, to_currency) > 1 then 'twice'
    end as fault
from typed
order by date, from_currency, to_currency
