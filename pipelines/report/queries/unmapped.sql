-- Which fields have values that have no word of ours yet. No value is shown.
select
    vendor,
    field,
    count(*) as different_values,
    sum(calls)::bigint as calls,
    min(first_seen_at) as first_seen_at
from ops.unmapped_values
group by all
order by calls desc, vendor asc, field asc
limit 50
