-- The records that are asked for, each once.
create temp table asked as
select distinct
    account,
    record_id
from wanted_here
