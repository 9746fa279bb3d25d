-- Which fields of the vendors' records are new, gone or of another type, the last fifty.
select
    vendor,
    record,
    path,
    change,
    noticed_on,
    before,
    now,
    example
from ops.field_changes
order by noticed_on desc, vendor asc, record asc, path asc, change asc
limit 50
