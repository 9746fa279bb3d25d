-- Days of which every account of a vendor has all of a stream, as far as a read that began
-- after the variable since made them so.
select
    vendor,
    stream,
    day,
    max(last_read_at) as last_read_at,
    sum(records) as records
from ops.coverage_streams
group by all
having bool_and(state = 'complete') and max(last_read_at) > getvariable('since')::timestamptz
order by all
