-- The value of a rebuild group of each version in a table; NULL is no group.
select
    {vendor} as vendor,
    account,
    record_id,
    ({expression})::varchar as value
from {table}
