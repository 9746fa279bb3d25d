-- How the twenty queues with most calls did, by date.
with largest as (
    select queue_key
    from main.daily_queue_calls
    where call_date between getvariable('first_date') and getvariable('last_date')
    group by queue_key
    order by sum(calls) desc, queue_key asc
    limit 20
)

select
    days.call_date,
    days.vendor,
    days.account,
    coalesce(days.queue_name, days.queue_key) as queue,
    sum(days.calls)::bigint as calls,
    sum(days.outcome_known_calls)::bigint as outcome_known_calls,
    sum(days.answered_calls)::bigint as answered_calls,
    sum(days.abandoned_known_calls)::bigint as abandoned_known_calls,
    sum(days.abandoned_calls)::bigint as abandoned_calls,
    sum(days.waited_known_calls)::bigint as waited_known_calls,
    sum(days.answered_in_time_calls)::bigint as answered_in_time_calls,
    sum(days.answered_waited_calls)::bigint as answered_waited_calls,
    sum(days.answered_queue_seconds) as answered_queue_seconds
from main.daily_queue_calls as days
inner join largest on days.queue_key = largest.queue_key
where days.call_date between getvariable('first_date') and getvariable('last_date')
group by all
order by all
