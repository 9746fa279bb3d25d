-- The columns of a union, and the vendor.
select
    null::varchar as vendor,
    *
from {columns} as columns
