-- One row per month, vendor account and category of usage that the vendor itself counts, beside our
-- calls of the same month. Categories contain each other: never summed across levels.
-- @kind table
-- @key month, vendor, account, vendor_account, category
-- @not_null level, read_at
-- @column month: its first day, in UTC
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column vendor_account: the vendor's own number of the account
-- @column category: the vendor's word, such as calls-inbound
-- @column parent_category: the category that this one is part of; NULL = of none that is listed
-- @column level [levels]: 1 for a category that is part of none, 2 for one within that, ...
-- @column description: in the vendor's words; NULL = not reported
-- @column usage_count [usage_count_unit]: how many; NULL = not reported
-- @column usage_count_unit: the vendor's word, such as calls; NULL = not reported
-- @column quantity [unit]: how much; NULL = not reported
-- @column unit: the vendor's word, such as minutes; NULL = not reported
-- @column price [currency]: what the vendor, or its carrier, counts for it; NULL = not reported
-- @column currency: ISO 4217; NULL = not reported
-- @column calls [calls]: ours that are in the category, without deleted and open ones; NULL = it is
--     not one of calls
-- @column minutes [minutes]: of those that were answered or not known to be missed, each rounded up;
--     NULL = it is not one of calls
-- @column minutes_difference [minutes]: quantity minus minutes; NULL = it is not one of calls, or is
--     in another unit
-- @column rated_cost [currency]: what our calls were rated or reported at, in the same currency; NULL
--     = it is not one of calls, or none has a cost
-- @column read_at: when the vendor's numbers were last read, UTC; of a month that went on then they
--     are of a part of it
with ours as (
    select
        date_trunc('month', facts.started_at at time zone 'UTC')::date as month,
        facts.vendor,
        facts.account,
        payers.payer_id as vendor_account,
        unnest(['all', facts.direction]) as direction,
        facts.currency,
        facts.cost_total,
        case
            when facts.outcome = 'missed' then 0
            else ceil(facts.total_seconds / 60)
        end::decimal(24, 6) as minutes
    from main.fact_calls as facts
    inner join main.bridge_call_payers as payers
        on facts.call_key = payers.call_key and payers.payer_kind = 'account'
    where not facts.is_deleted and facts.outcome != 'in_progress'
),

counted as (
    select
        month,
        vendor,
        account,
        vendor_account,
        direction,
        count(*) as calls,
        sum(minutes) as minutes
    from ours
    group by all
),

priced as (
    select
        month,
        vendor,
        account,
        vendor_account,
        direction,
        currency,
        sum(cost_total) as rated_cost
    from ours
    group by all
),

nested as (
    select
        used.vendor,
        used.account,
        used.vendor_account,
        used.month,
        used.category,
        arg_max(above.category, len(above.category)) as parent_category,
        1 + count(above.category) as level
    from staging.vendor_usage as used
    left join staging.vendor_usage as above
        on
            used.vendor = above.vendor
            and used.account = above.account
            and used.vendor_account = above.vendor_account
            and used.month = above.month
            and starts_with(used.category, above.category || '-')
    group by all
)

select
    used.month,
    used.vendor,
    used.account,
    used.vendor_account,
    used.category,
    nested.parent_category,
    nested.level::integer as level,
    used.description,
    used.usage_count,
    used.usage_count_unit,
    used.quantity,
    used.unit,
    used.price,
    used.currency,
    if(used.direction is null, null, coalesce(counted.calls, 0)) as calls,
    if(used.direction is null, null, coalesce(counted.minutes, 0))::decimal(24, 6) as minutes,
    case
        when used.direction is not null and used.unit = 'minutes'
            then used.quantity - coalesce(counted.minutes, 0)
    end::decimal(24, 6) as minutes_difference,
    priced.rated_cost::decimal(24, 6) as rated_cost,
    used.read_at
from staging.vendor_usage as used
inner join nested
    on
        used.vendor = nested.vendor
        and used.account = nested.account
        and used.vendor_account = nested.vendor_account
        and used.month = nested.month
        and used.category = nested.category
left join counted
    on
        used.month = counted.month
        and used.vendor = counted.vendor
        and used.account = counted.account
        and used.vendor_account = counted.vendor_account
        and used.direction = counted.direction
left join priced
    on
        used.month = priced.month
        and used.vendor = priced.vendor
        and used.account = priced.account
        and used.vendor_account = priced.vendor_account
        and used.direction = priced.direction
        and used.currency = priced.currency
