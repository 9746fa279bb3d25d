-- One row per run and vendor; an empty vendor stands for the build of all of them.
-- @key run_no
-- @not_null started_at, command, vendor, windows, planned, records, changed, quarantined, pending,
--     settled, deleted, restored, requests, retries, seconds, outcome
-- @accepted outcome: complete, incomplete, failed
-- @column run_no: number of the row, in the order of the runs
-- @column started_at: when the run began, UTC
-- @column command: that was run
-- @column vendor: as in fact_calls; empty for the build of all of them
-- @column windows [windows]: read
-- @column planned [windows]: to read
-- @column records [records]: read
-- @column changed [records]: of them new, or other than before
-- @column quarantined [records]: of them that could not be read
-- @column pending [calls]: asked for by id, as their price or end is open
-- @column settled [calls]: of them that are final now
-- @column deleted [calls]: newly marked deleted, by proof
-- @column restored [calls]: that were marked deleted and are listed again
-- @column requests [requests]: sent
-- @column retries [requests]: of them repeated
-- @column seconds [seconds]: that it took
-- @column outcome: complete, incomplete, failed
-- @column error: why it failed; NULL = it did not
-- @column note: what else is to be known; NULL = nothing
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
    deleted,
    restored,
    requests,
    retries,
    seconds,
    outcome,
    error,
    note
from config.runs
