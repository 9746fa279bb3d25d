-- The records to rebuild, and the loads that the raw files have.
create or replace temp table "run.records" (
    vendor varchar,
    account varchar,
    record_id varchar,
    call_key varchar
);

create or replace temp table "run.loads" as
select distinct
    vendor,
    record,
    _dlt_load_id as load_id
from {stored} as stored
