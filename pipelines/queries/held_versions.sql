-- Every version held of the records that are asked for.
select
    stored.account,
    stored.record_id,
    stored.event_at,
    stored.window_from,
    stored.fetched_at,
    stored.payload
from records as stored
semi join asked
    on stored.account = asked.account and stored.record_id = asked.record_id
