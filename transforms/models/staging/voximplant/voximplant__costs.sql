-- One row per cost line of a Voximplant session: a leg, a record or a resource used.
-- One charge may stand at several of them: an amount of a transaction counts once, where it
-- stands first. Another amount with the same number is no such double, and counts as well;
-- the call has it among its unmapped values. A line without a price, or without a known
-- currency, has no amount.
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
-- @column is_leaf: the first line of each transaction_id and amount; of one without any amount the
--     first line
-- @column vendor_transaction_id: transaction_id, unless 0
-- @column leg_no: a leg's own; of a resource, the leg whose call_id is its ref_call_id
with opened as (
    select
        account,
        vendor_call_id,
        line_no,
        section,
        id,
        resource['ref_call_id'] as ref_call_id,
        case section
            when 1 then 'calls' when 2 then 'records' else resource['resource_type']
        end as vendor_component,
        coalesce(leg['cost'], recording['cost'], resource['cost']) as sent_cost,
        coalesce(leg['duration'], recording['duration'], resource['resource_quantity'])
            as quantity,
        if(section = 3, nullif(resource['unit'], ''), 'second') as unit,
        coalesce(
            leg['transaction_id'], recording['transaction_id'], resource['transaction_id']
        ) as transaction_id
    from staging.voximplant__lines
),

legs as (
    select
        account,
        vendor_call_id,
        id,
        min(line_no) as leg_no
    from opened
    where section = 1 and id != ''
    group by all
),

typed as (
    select
        opened.account,
        opened.vendor_call_id,
        opened.line_no,
        if(opened.section = 1, opened.line_no, legs.leg_no) as leg_no,
        opened.vendor_component,
        coalesce(settings.currency, info.currency) as known_currency,
        try_cast(opened.sent_cost as decimal(15, 6)) as cost,
        -- What is too small for a millionth is not nothing.
        case
            when known_currency is null then null
            when cost != 0 or try_cast(opened.sent_cost as double) = 0
                then cost::decimal(18, 6)
        end as amount,
        try_cast(opened.quantity as decimal(18, 6)) as quantity,
        opened.unit,
        nullif(nullif(opened.transaction_id, ''), '0') as vendor_transaction_id
    from opened
    left join legs
        on
            opened.account = legs.account
            and opened.vendor_call_id = legs.vendor_call_id
            and opened.ref_call_id = legs.id
    left join staging.voximplant__account_info as info
        on opened.account = info.account
    left join config.accounts as settings
        on settings.vendor = 'voximplant' and opened.account = settings.account
)

select
    typed.account,
    typed.vendor_call_id,
    typed.line_no,
    coalesce(components.component, 'other') as component,
    typed.vendor_component,
    typed.amount,
    if(typed.amount is null, null, typed.known_currency) as currency,
    typed.quantity,
    if(typed.quantity is null, null, typed.unit) as unit,
    'reported' as source,
    case
        when typed.vendor_transaction_id is null then true
        when typed.amount is null
            then
                row_number() over of_transaction = 1
        else
            row_number() over (
                partition by
                    typed.account, typed.vendor_call_id, typed.vendor_transaction_id,
                    typed.amount
                order by typed.line_no
            ) = 1
    end as is_leaf,
    typed.vendor_transaction_id,
    typed.leg_no
from typed
left join staging.voximplant__components as components
    on typed.vendor_component = components.vendor_component
window of_transaction as (
    partition by typed.account, typed.vendor_call_id, typed.vendor_transaction_id
    order by (typed.amount is null) asc, typed.line_no asc
)
