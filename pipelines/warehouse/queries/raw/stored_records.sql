-- One row per living record whose newest version lies in a window of event times.
-- One that came from another day's window is left out: then windows do not go by the
-- event time, and its absence from its own day alone is no reason to read again.
select
    record_id,
    event_at
from newest
where
    payload is not null
    and event_at >= getvariable('low')
    and event_at < getvariable('high')
    and event_at >= window_from - interval 1 second
    and event_at < date_trunc('day', window_from) + interval 1 day + interval 1 second
