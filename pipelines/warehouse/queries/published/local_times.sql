-- The times of a call in the zone that decides its day.
select
    started_at at time zone getvariable('time_zone') as started_at,
    answered_at at time zone getvariable('time_zone') as answered_at,
    ended_at at time zone getvariable('time_zone') as ended_at
from main.fact_calls
where call_key = getvariable('call_key')
