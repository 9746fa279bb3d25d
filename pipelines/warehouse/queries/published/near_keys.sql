-- The keys that were probably meant: the same id elsewhere, else the nearest spelled.
select call_key
from main.fact_calls
where
    vendor_call_id = getvariable('call_id')
    or levenshtein(call_key, getvariable('call_key'))
    <= greatest(2, length(getvariable('call_key')) // 6)
order by
    vendor_call_id = getvariable('call_id') desc,
    levenshtein(call_key, getvariable('call_key')) asc,
    call_key asc
limit 3
