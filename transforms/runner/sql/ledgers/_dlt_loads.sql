-- The columns of inputs.loads, which dlt calls _dlt_loads.
select
    null::varchar as load_id,
    null::bigint as status,
    null::timestamptz as inserted_at
where false
