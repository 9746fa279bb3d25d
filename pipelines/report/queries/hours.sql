-- At which hour of which weekday calls begin, in the reporting time zone, and are given up.
with local_calls as (
    select
        calls.vendor,
        calls.account,
        calls.direction,
        calls.started_at at time zone info.reporting_time_zone as started_at,
        calls.is_abandoned
    from main.fact_calls as calls
    cross join ops.build_info as info
    where
        calls.call_date between getvariable('first_date') and getvariable('last_date')
        and not calls.is_deleted
)

select
    vendor,
    account,
    direction,
    isodow(started_at) as weekday,
    hour(started_at) as hour,
    count(*) as calls,
    count(is_abandoned) as known_calls,
    count(*) filter (where is_abandoned) as abandoned_calls
from local_calls
group by all
order by all
