-- The columns of raw.absences.
select
    null::varchar as account,
    null::varchar as record,
    null::varchar as record_id,
    null::timestamptz as read_at,
    null::timestamptz as event_at,
    null::timestamptz as since,
    null::varchar as state,
    null::bigint as load_no,
    null::varchar as _dlt_load_id
where false
