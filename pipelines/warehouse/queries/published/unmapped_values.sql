-- One row per value that nothing here can use, the commonest first.
select
    vendor,
    field,
    value,
    calls
from ops.unmapped_values
order by calls desc, vendor asc, field asc, value asc
limit 10
