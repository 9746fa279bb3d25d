-- One row per Voximplant account: its master data as last read.
-- Only the currency is used; Voximplant still says RUR, the rouble's code until 1998.
-- @reference
-- @key account
with latest as (
    select
        account,
        record_id,
        payload,
        fetched_at as last_loaded_at,
        _dlt_load_id as load_id,
        min(fetched_at) over (partition by account, record_id) as first_loaded_at
    from raw.voximplant__account_info
    qualify row_number() over (
        partition by account
        order by fetched_at desc, _dlt_load_id desc
    ) = 1
),

opened as (
    select
        account,
        record_id,
        from_json(payload, '{"currency": "VARCHAR"}') as record,
        first_loaded_at,
        last_loaded_at,
        load_id
    from latest
)

select
    account,
    record_id,
    record,
    case upper(record['currency'])
        when 'RUR' then 'RUB' else upper(nullif(record['currency'], ''))
    end as currency,
    first_loaded_at,
    last_loaded_at,
    load_id
from opened
