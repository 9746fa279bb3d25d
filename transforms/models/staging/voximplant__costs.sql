-- One row per cost line of a Voximplant session: a leg, a record or a resource used.
-- One charge may stand at several of them: a transaction counts once, where it has a
-- price first. A line without a price has no amount.
-- @key account, vendor_call_id, line_no
-- @not_null component, is_leaf
with legs as (
    select
        account,
        record_id as vendor_call_id,
        unnest(record['calls']) as part
    from staging.voximplant__call_sessions
),

records as (
    select
        account,
        record_id as vendor_call_id,
        unnest(record['records']) as part
    from staging.voximplant__call_sessions
),

resources as (
    select
        account,
        record_id as vendor_call_id,
        unnest(record['other_resource_usage']) as part
    from staging.voximplant__call_sessions
),

lines as (
    select
        account,
        vendor_call_id,
        1 as section,
        'calls' as vendor_component,
        part['call_id'] as part_id,
        part['start_time'] as begun_at,
        part['cost'] as cost,
        part['transaction_id'] as transaction_id,
        part['duration'] as quantity,
        'second' as unit
    from legs
    union all
    select
        account,
        vendor_call_id,
        2 as section,
        'records' as vendor_component,
        part['record_id'] as part_id,
        part['start_time'] as begun_at,
        part['cost'] as cost,
        part['transaction_id'] as transaction_id,
        part['duration'] as quantity,
        'second' as unit
    from records
    union all
    select
        account,
        vendor_call_id,
        3 as section,
        part['resource_type'] as vendor_component,
        part['resource_usage_id'] as part_id,
        part['used_at'] as begun_at,
        part['cost'] as cost,
        part['transaction_id'] as transaction_id,
        part['resource_quantity'] as quantity,
        part['unit'] as unit
    from resources
),

numbered as (
    select
        account,
        vendor_call_id,
        vendor_component,
        try_cast(cost as decimal(18, 6)) as amount,
        try_cast(quantity as decimal(18, 6)) as quantity,
        nullif(unit, '') as unit,
        nullif(nullif(transaction_id, ''), '0') as vendor_transaction_id,
        row_number() over (
            partition by account, vendor_call_id
            order by
                section asc,
                begun_at asc nulls last,
                try_cast(part_id as hugeint) asc nulls last,
                part_id asc
        )::integer as line_no
    from lines
)

select
    numbered.account,
    numbered.vendor_call_id,
    numbered.line_no,
    coalesce(components.component, 'other') as component,
    numbered.vendor_component,
    numbered.amount,
    if(
        numbered.amount is null, null, coalesce(settings.currency, info.currency)
    ) as currency,
    numbered.quantity,
    if(numbered.quantity is null, null, numbered.unit) as unit,
    'reported' as source,
    numbered.vendor_transaction_id is null or row_number() over (
        partition by
            numbered.account, numbered.vendor_call_id, numbered.vendor_transaction_id
        order by (numbered.amount is null) asc, numbered.line_no asc
    ) = 1 as is_leaf,
    numbered.vendor_transaction_id
from numbered
left join seeds.cost_components as components
    on
        components.vendor = 'voximplant'
        and numbered.vendor_component glob components.vendor_component
left join staging.voximplant__account_info as info
    on numbered.account = info.account
left join config.accounts as settings
    on settings.vendor = 'voximplant' and numbered.account = settings.account
