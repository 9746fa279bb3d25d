-- The calls that were erased, by their vendor or here.
select call_key
from fact_calls
where is_erased
