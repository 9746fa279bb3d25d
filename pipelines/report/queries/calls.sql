-- Calls, their time and their cost by date. Cost centers beyond the eight with most calls are one.
with largest as (
    select cost_center
    from main.daily_calls
    where
        call_date between getvariable('first_date') and getvariable('last_date')
        and cost_center is not null
    group by cost_center
    order by sum(calls) desc, cost_center asc
    limit 8
)

select
    days.call_date,
    days.vendor,
    days.account,
    days.direction,
    case
        when days.cost_center is not null then coalesce(largest.cost_center, 'all others')
    end as cost_center,
    sum(days.calls)::bigint as calls,
    sum(days.outcome_known_calls)::bigint as outcome_known_calls,
    sum(days.answered_calls)::bigint as answered_calls,
    sum(days.timed_calls)::bigint as timed_calls,
    sum(days.total_seconds) as total_seconds,
    sum(days.cost_final_calls)::bigint as final_calls,
    sum(days.cost_provisional_calls)::bigint as provisional_calls,
    sum(days.cost_pending_calls)::bigint as pending_calls,
    sum(days.cost_due_calls)::bigint as due_calls,
    sum(days.priced_calls + days.priced_partial_calls)::bigint as priced_calls,
    sum(days.costed_calls + days.costed_partial_calls)::bigint as converted_calls,
    case
        when count(days.cost_reporting) + count(days.cost_partial_reporting) > 0
            then
                coalesce(sum(days.cost_reporting), 0)
                + coalesce(sum(days.cost_partial_reporting), 0)
    end as cost_reporting
from main.daily_calls as days
left join largest on days.cost_center = largest.cost_center
where days.call_date between getvariable('first_date') and getvariable('last_date')
group by all
order by all
