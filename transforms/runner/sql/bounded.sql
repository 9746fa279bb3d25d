-- The rows of a table within literal bounds, so that the scan of the raw file skips row groups.
select *
from {table}
where {bounds}
