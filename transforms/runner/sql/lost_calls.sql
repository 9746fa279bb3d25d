-- Calls of a vendor that were built of a record which its raw file does not have.
select call_key
from main.fact_calls
anti join (
    select vendor || ':' || account || ':' || record_id as call_key
    from {stored} as stored
) as stored using (call_key)
where split_part(call_key, ':', 1) = {vendor}
limit 1
