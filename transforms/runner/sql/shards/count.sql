-- How many records are to rebuild.
select count(*)
from temp."run.records"
