-- The records that are wanted, each once.
create temp table wanted_records as
select distinct
    account,
    record_id
from wanted_here
