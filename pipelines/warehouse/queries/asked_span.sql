-- One row: the first and the last time that any stored version of them has.
select
    min(stored.event_at) as low,
    max(stored.event_at) as high
from stored
semi join asked
    on stored.account = asked.account and stored.record_id = asked.record_id
