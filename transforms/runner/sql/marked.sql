-- The versions of the records to rebuild.
select *
from {stored} as stored
semi join temp."run.records" as marked using (vendor, account, record_id)
