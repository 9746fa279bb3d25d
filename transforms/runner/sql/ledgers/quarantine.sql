-- The columns of raw.quarantine.
select
    null::varchar as account,
    null::varchar as stream,
    null::timestamptz as window_from,
    null::timestamptz as window_to,
    null::bigint as record_no,
    null::varchar as reason,
    null::varchar as payload,
    null::timestamptz as fetched_at,
    null::bigint as load_no,
    null::varchar as _dlt_load_id
where false
