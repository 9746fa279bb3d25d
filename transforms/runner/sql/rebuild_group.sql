-- All records of a rebuild group of which one is to rebuild.
with stored as not materialized (
    select
        {vendor} as vendor,
        account,
        record_id,
        ({expression}) as rebuild_group
    from {table}
),

groups as (
    select distinct
        account,
        rebuild_group
    from stored
    semi join temp."run.records" as marked using (vendor, account, record_id)
)

select
    vendor,
    account,
    record_id
from stored
semi join groups using (account, rebuild_group)
