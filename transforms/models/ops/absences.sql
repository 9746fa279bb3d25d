-- One row per stored record that a run missed, and per change of what is thought of it.
-- A record is deleted by proof only: two complete, believable reads of different runs, at
-- least 20 hours apart, that both miss it, while no other window has it.
-- @key vendor, account, record, record_id, read_at
-- @accepted state: suspected, doubted, deleted, present, lapsed
-- @not_null event_at, since, state, load_id, load_no
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column record: the raw table of the record
-- @column record_id: the vendor's identifier, as in fact_calls.vendor_call_id for a call
-- @column read_at: start of the read that missed it, or of the run that ended the suspicion, UTC
-- @column event_at: the record's own time as it is stored, UTC
-- @column since: when the read began that this state counts from, UTC
-- @column state: suspected (missing once, its window is read again in the next run), doubted
--     (missing in a read that is not believed, the window stays open), deleted, present (it was
--     listed again), lapsed (its vendor can show neither any more)
-- @column load_id: the load that wrote it
-- @column load_no: greater than that of every earlier load of the vendor, even where the clock
--     went back: of a record's rows the one with the greatest is the newest
select
    absences.vendor,
    absences.account,
    absences.record,
    absences.record_id,
    absences.read_at,
    absences.event_at,
    absences.since,
    absences.state,
    absences._dlt_load_id as load_id,
    absences.load_no
from raw.absences as absences
inner join inputs.loads as loads
    on absences.vendor = loads.vendor and absences._dlt_load_id = loads.load_id
where loads.status = 0
