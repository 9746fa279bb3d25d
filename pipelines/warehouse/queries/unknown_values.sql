-- One row per vendor word that no mapping knows, the commonest first.
select
    vendor,
    field,
    value,
    calls
from ops.unknown_values
order by calls desc, vendor asc, field asc, value asc
limit 10
