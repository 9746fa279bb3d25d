-- One row: the first and the last time that any stored version of them has.
select
    min(stored.event_at) as low,
    max(stored.event_at) as high
from stored
semi join wanted_records
    on stored.account = wanted_records.account and stored.record_id = wanted_records.record_id
