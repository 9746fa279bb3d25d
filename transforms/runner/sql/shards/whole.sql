-- All records to rebuild of some accounts.
select
    vendor,
    account,
    record_id,
    '' as value
from temp."run.records" as marked
semi join {accounts} as accounts using (vendor, account)
