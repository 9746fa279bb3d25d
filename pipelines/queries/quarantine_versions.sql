-- quarantine_versions
-- Every stored version of the records that can be read now.
select
    stored.account,
    stored.record_id,
    stored.event_at,
    stored.window_from,
    stored.fetched_at,
    stored.payload,
    stored.load_no
from records as stored
semi join readable
    on stored.account = readable.account and stored.record_id = readable.record_id
