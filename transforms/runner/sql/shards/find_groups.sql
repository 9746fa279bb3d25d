-- Add the groups of one declaration.
insert into temp."run.groups"
select distinct
    {number} as declared,
    vendor,
    account,
    record_id,
    hash({number}, vendor, account, value) as node
from {records} as records
semi join temp."run.records" as marked using (vendor, account, record_id)
where value is not null
