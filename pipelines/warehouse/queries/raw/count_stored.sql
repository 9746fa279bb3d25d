-- How many living records have a newest version that lies in a window of event times.
select count(*)
from newest
where
    payload is not null
    and event_at >= getvariable('low')
    and event_at < getvariable('high')
