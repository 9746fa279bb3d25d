-- Every stored version of the records that are wanted.
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
semi join wanted_records
    on bounded.account = wanted_records.account and bounded.record_id = wanted_records.record_id
