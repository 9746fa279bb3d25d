-- The vendors of which a table has rows.
select distinct {vendor} as vendor
from {table}
