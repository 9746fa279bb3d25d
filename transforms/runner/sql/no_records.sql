-- The columns of every record table of every vendor.
select
    null::varchar as account,
    null::varchar as record_id,
    null::timestamptz as event_at,
    null::timestamptz as window_from,
    null::timestamptz as fetched_at,
    null::varchar as payload,
    null::bigint as load_no,
    null::varchar as _dlt_load_id
where false
