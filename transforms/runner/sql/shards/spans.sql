-- From when until when the versions of each record to rebuild are; NULL = one has no time.
create or replace temp table "run.spans" as
select
    vendor,
    account,
    record_id,
    if(count(*) = count(event_at), min(event_at), null) as first_at,
    if(count(*) = count(event_at), max(event_at), null) as last_at
from {marked} as versions
group by vendor, account, record_id
