-- What `stored` returns of no table.
select
    null::varchar as vendor,
    null::varchar as record,
    *
from {no_records} as records
