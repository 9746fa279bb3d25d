-- Every version in a record table, also those that say that it was deleted.
select
    {vendor} as vendor,
    {record} as record,
    account,
    record_id,
    event_at,
    window_from,
    fetched_at,
    payload,
    load_no,
    _dlt_load_id
from {table}
