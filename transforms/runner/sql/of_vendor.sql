-- The rows of one vendor's relation, with its name.
select
    {vendor} as vendor,
    *
from {table}
