-- The days on which the calls of this build lay and now lie.
select call_date::varchar
from main.fact_calls
semi join temp."run.records" as marked using (call_key)
union distinct
select call_date::varchar
from {built}
