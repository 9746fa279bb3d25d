-- One row per month, vendor, account and currency: what its calls and its base costs come to, what a
-- minute and a call cost by it, and how much of that is final. Costs in different currencies
-- are never added up. The costs are those of daily_costs, so that a running month has its base costs
-- until today.
-- @kind table
-- @key month, vendor, account, currency
-- @nullable month, currency
-- @not_null calls, due_calls, final_calls, provisional_calls, pending_calls, costed_calls
-- @not_null partial_calls, timed_calls
-- @check final_calls + provisional_calls + pending_calls = due_calls
-- @column month: its first day, of call_date, in the reporting time zone; NULL = calls have no known
--     start
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column currency: ISO 4217; a call without a cost has that of the others, if the month has only
--     one; NULL = it has none, or several
-- @column calls [calls]: that the vendor lists
-- @column due_calls [calls]: of them those that cost something, or will: cost_status is not none
-- @column final_calls [calls]: of due_calls, those whose cost is final
-- @column provisional_calls [calls]: of due_calls, those whose cost is provisional, as in fact_calls
-- @column pending_calls [calls]: of due_calls, those whose cost, or a part of it, is to come
-- @column share_final [percent]: final_calls of due_calls; NULL = none is due
-- @column costed_calls [calls]: calls whose whole cost is known: neither pending nor partial
-- @column partial_calls [calls]: calls of whose cost a part is known
-- @column cost_usage [currency]: what all calls cost so far, deleted ones that were charged included;
--     NULL = none has a cost
-- @column cost_base [currency]: paid whatever is called, until today; NULL = nothing is
-- @column cost_all_in [currency]: both; NULL = both are
-- @column timed_calls [calls]: costed_calls whose time on the line is known
-- @column costed_seconds [seconds]: line_seconds of timed_calls; NULL = there are none
-- @column per_minute_usage [currency]: what a minute of timed_calls costs by their calls alone, rounded
--     to a millionth; NULL = there is no length
-- @column per_minute_all_in [currency]: the same with the base costs in it; NULL = there is no length
-- @column per_costed_call [currency]: what costed_calls cost, by their number; NULL = there are none
with calls as (
    select
        *,
        date_trunc('month', call_date)::date as month,
        cost_total is not null and cost_status not in ('pending', 'partial') as is_costed
    from main.fact_calls
),

parts as (
    select
        month,
        vendor,
        account,
        currency,
        count(*) as calls,
        count(*) filter (where cost_status != 'none') as due_calls,
        count(*) filter (where cost_status = 'final') as final_calls,
        count(*) filter (where cost_status = 'provisional') as provisional_calls,
        count(*) filter (where cost_status in ('pending', 'partial')) as pending_calls,
        count(*) filter (where is_costed) as costed_calls,
        count(*) filter (where cost_total is not null and not is_costed) as partial_calls,
        sum(cost_total) filter (where is_costed) as cost_of_costed,
        count(*) filter (where is_costed and line_seconds is not null) as timed_calls,
        sum(line_seconds) filter (where is_costed) as costed_seconds,
        sum(cost_total) filter (where is_costed and line_seconds is not null)
            as cost_of_timed
    from calls
    where not is_deleted
    group by all
    union all by name
    select
        date_trunc('month', call_date)::date as month,
        vendor,
        account,
        currency,
        sum(amount) filter (where component != 'base') as cost_usage,
        sum(amount) filter (where component = 'base') as cost_base
    from main.daily_costs
    group by all
),

named as (
    select
        * replace (
            coalesce(
                currency,
                if(
                    count(distinct currency) over in_month = 1,
                    min(currency) over in_month,
                    null
                )
            ) as currency
        )
    from parts
    window in_month as (partition by month, vendor, account)
),

summed as (
    select
        month,
        vendor,
        account,
        currency,
        coalesce(sum(calls), 0)::bigint as calls,
        coalesce(sum(due_calls), 0)::bigint as due_calls,
        coalesce(sum(final_calls), 0)::bigint as final_calls,
        coalesce(sum(provisional_calls), 0)::bigint as provisional_calls,
        coalesce(sum(pending_calls), 0)::bigint as pending_calls,
        coalesce(sum(costed_calls), 0)::bigint as costed_calls,
        coalesce(sum(partial_calls), 0)::bigint as partial_calls,
        sum(cost_usage)::decimal(24, 6) as cost_usage,
        sum(cost_base)::decimal(24, 6) as cost_base,
        coalesce(sum(timed_calls), 0)::bigint as timed_calls,
        sum(costed_seconds)::decimal(18, 3) as costed_seconds,
        -- Whole millionths, and thousandths of a second: a quotient of decimals is a float.
        (sum(cost_of_costed) * 1000000)::hugeint as of_costed,
        (sum(cost_of_timed) * 1000000)::hugeint as of_timed,
        (sum(cost_base) * 1000000)::hugeint as of_base,
        nullif((sum(costed_seconds) * 1000)::hugeint, 0) as length
    from named
    group by all
)

select
    month,
    vendor,
    account,
    currency,
    calls,
    due_calls,
    final_calls,
    provisional_calls,
    pending_calls,
    (round(100 * final_calls / nullif(due_calls, 0), 1))::decimal(4, 1) as share_final,
    costed_calls,
    partial_calls,
    cost_usage,
    cost_base,
    list_sum([cost_usage, cost_base])::decimal(24, 6) as cost_all_in,
    timed_calls,
    costed_seconds,
    ((of_timed * 60000 + length // 2) // length * 0.000001)::decimal(18, 6)
        as per_minute_usage,
    (((of_timed + coalesce(of_base, 0)) * 60000 + length // 2) // length * 0.000001)
    ::decimal(18, 6) as per_minute_all_in,
    ((of_costed + costed_calls // 2) // nullif(costed_calls, 0) * 0.000001)::decimal(18, 6)
        as per_costed_call
from summed
