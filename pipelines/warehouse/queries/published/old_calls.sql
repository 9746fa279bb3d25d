-- The calls of one vendor that began before a time and still have personal data.
select call_key
from main.fact_calls
where
    vendor = getvariable('vendor')
    and started_at < getvariable('before')
    and not is_erased
    and customer_number_kind is distinct from 'removed'
order by call_key
