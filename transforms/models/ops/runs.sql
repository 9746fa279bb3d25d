-- One row per run and vendor; an empty vendor stands for the build of all of them.
-- @key run_no
-- @accepted outcome: complete, incomplete, failed
select
    run_no,
    started_at,
    command,
    vendor,
    windows,
    planned,
    records,
    changed,
    quarantined,
    pending,
    settled,
    requests,
    retries,
    seconds,
    outcome,
    error,
    note
from config.runs
