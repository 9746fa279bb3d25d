-- What the published tables say of the windows that were read of a vendor, in the
-- columns of past_reads, for when its raw file cannot be read.
select
    account,
    stream,
    window_start,
    window_end,
    purpose,
    state,
    started_at,
    coalesce(requests, 0) as requests,
    coalesce(rows_distinct, 0) as rows_distinct,
    coalesce(epoch(finished_at - started_at), 0) as seconds,
    reason
from ops.load_windows
where vendor = getvariable('vendor') and split_of is null
order by started_at
