-- Mark records to rebuild, each once.
insert into temp."run.records"
select distinct
    vendor,
    account,
    record_id,
    vendor || ':' || account || ':' || record_id as call_key
from {records} as records
anti join temp."run.records" as known using (vendor, account, record_id)
where vendor in ({vendors})
