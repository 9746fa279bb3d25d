-- inputs.tombstones: each finding that a record was deleted.
select
    vendor,
    record,
    account,
    record_id,
    fetched_at,
    load_no,
    _dlt_load_id as load_id
from {stored} as stored
where payload is null
