-- How many versions each record to rebuild has, and from when until when they are; NULL = one has
-- no time.
create or replace temp table "run.spans" as
select
    vendor,
    account,
    record_id,
    count(*) as versions,
    if(count(*) = count(event_at), min(event_at), null) as first_at,
    if(count(*) = count(event_at), max(event_at), null) as last_at
from {marked} as versions
group by vendor, account, record_id
