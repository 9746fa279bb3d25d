-- Calls that are in fact_calls more than once.
select
    vendor,
    account,
    count(*) as calls
from (
    select
        vendor,
        account,
        vendor_call_id
    from main.fact_calls
    group by all
    having count(*) > 1
)
group by all
order by all
