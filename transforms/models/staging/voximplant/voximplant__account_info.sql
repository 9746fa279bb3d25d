-- One row per Voximplant account: the currency it is billed in, as last read.
-- Voximplant still says RUR, the rouble's code until 1998. The rest of the answer, a
-- balance among it, changes daily and concerns no call.
-- @reference
-- @key account
with opened as (
    select
        account,
        upper(nullif(from_json(payload, '{"currency": "VARCHAR"}')['currency'], ''))
            as currency
    from raw.voximplant__account_info
    qualify row_number() over (
        partition by account
        order by load_no desc, fetched_at desc
    ) = 1
)

select
    account,
    case
        when currency = 'RUR' then 'RUB'
        when regexp_full_match(currency, '[A-Z]{3}') then currency
    end as currency
from opened
