-- One row per cost line of a Voximplant session: a leg, a record or a resource used.
-- One charge may stand at several of them: a transaction counts once, where it has a
-- price first. A line without a price, or without a known currency, has no amount.
-- @key account, vendor_call_id, line_no
-- @not_null component, is_leaf
-- @column line_no: order of calls, records, other_resource_usage, and in each of time and id
-- @column component: the array, or resource_type, by seeds/cost_components.csv
-- @column vendor_component: calls, records, or resource_type
-- @column amount: cost
-- @column currency: account_info.currency (RUR is RUB), or the configured currency
-- @column quantity: duration of calls and records, resource_quantity
-- @column unit: second of calls and records, unit of resources
-- @column source: reported
-- @column is_leaf: the first priced line of each transaction_id
-- @column vendor_transaction_id: transaction_id, unless 0
with lines as (
    select
        account,
        record_id as vendor_call_id,
        unnest(
            list_concat(
                list_transform(
                    record['calls'],
                    lambda x: struct_pack(
                        section := 1, component := 'calls', id := x['call_id'],
                        begun_at := x['start_time'], cost := x['cost'],
                        transaction_id := x['transaction_id'],
                        quantity := x['duration'],
                        unit := 'second'
                    )
                ),
                list_transform(
                    record['records'],
                    lambda x: struct_pack(
                        section := 2, component := 'records', id := x['record_id'],
                        begun_at := x['start_time'], cost := x['cost'],
                        transaction_id := x['transaction_id'],
                        quantity := x['duration'],
                        unit := 'second'
                    )
                ),
                list_transform(
                    record['other_resource_usage'],
                    lambda x: struct_pack(
                        section := 3, component := x['resource_type'], id := x['resource_usage_id'],
                        begun_at := x['used_at'], cost := x['cost'],
                        transaction_id := x['transaction_id'],
                        quantity := x['resource_quantity'],
                        unit := x['unit']
                    )
                )
            )
        ) as line
    from staging.voximplant__call_sessions
),

numbered as (
    select
        lines.account,
        lines.vendor_call_id,
        row_number() over (
            partition by lines.account, lines.vendor_call_id
            order by
                lines.line['section'] asc,
                lines.line['begun_at'] asc nulls last,
                try_cast(lines.line['id'] as hugeint) asc nulls last,
                lines.line['id'] asc
        )::integer as line_no,
        lines.line['component'] as vendor_component,
        coalesce(settings.currency, info.currency) as known_currency,
        try_cast(lines.line['cost'] as decimal(15, 6)) as cost,
        -- What is too small for a millionth is not nothing.
        case
            when known_currency is null then null
            when cost != 0 or try_cast(lines.line['cost'] as double) = 0
                then cost::decimal(18, 6)
        end as amount,
        try_cast(lines.line['quantity'] as decimal(18, 6)) as quantity,
        nullif(lines.line['unit'], '') as unit,
        nullif(nullif(lines.line['transaction_id'], ''), '0') as vendor_transaction_id
    from lines
    left join staging.voximplant__account_info as info
        on lines.account = info.account
    left join config.accounts as settings
        on settings.vendor = 'voximplant' and lines.account = settings.account
)

select
    numbered.account,
    numbered.vendor_call_id,
    numbered.line_no,
    coalesce(components.component, 'other') as component,
    numbered.vendor_component,
    numbered.amount,
    if(numbered.amount is null, null, numbered.known_currency) as currency,
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
