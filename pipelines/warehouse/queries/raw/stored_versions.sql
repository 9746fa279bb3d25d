-- Every stored version of the records that are wanted.
select
    stored.account,
    stored.record_id,
    stored.event_at,
    stored.window_from,
    stored.fetched_at,
    stored.payload,
    stored.load_no
from records as stored
semi join wanted
    on stored.account = wanted.account and stored.record_id = wanted.record_id
