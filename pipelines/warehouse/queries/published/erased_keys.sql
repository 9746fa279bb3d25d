-- The calls that were erased, by their vendor or here, and those that are too old.
select
    call_key,
    not is_erased as is_removed
from fact_calls
where is_erased or customer_number_kind = 'removed'
