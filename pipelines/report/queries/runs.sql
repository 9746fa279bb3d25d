-- The last forty loads and builds.
select
    run_no,
    started_at,
    command,
    vendor,
    outcome,
    windows,
    planned,
    records,
    changed,
    quarantined,
    requests,
    seconds,
    coalesce(error, 'none') as error
from ops.runs
order by run_no desc
limit 40
