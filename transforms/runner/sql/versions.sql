-- The versions of a table's records that have a payload.
select
    account,
    record_id,
    event_at,
    window_from,
    fetched_at,
    payload,
    load_no,
    _dlt_load_id
from {table}
where payload is not null and {condition}
