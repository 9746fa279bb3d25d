-- Every stored version of the records that are asked for.
create view records as
select
    bounded.account,
    bounded.record_id,
    bounded.event_at,
    bounded.window_from,
    bounded.fetched_at,
    bounded.payload,
    bounded.load_no,
    bounded._dlt_load_id
from bounded
semi join asked
    on bounded.account = asked.account and bounded.record_id = asked.record_id
