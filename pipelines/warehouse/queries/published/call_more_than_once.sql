-- Calls that are in fact_calls more than once.
with repeated as (
    select
        vendor,
        account,
        vendor_call_id
    from main.fact_calls
    group by all
    having count(*) > 1
)

select
    vendor,
    account,
    count(*) as calls
from repeated
group by all
order by all
