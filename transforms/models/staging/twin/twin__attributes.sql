-- One row per TWIN call and field that only TWIN has.
-- @key account, vendor_call_id, attribute, item_no
select
    account,
    record_id as vendor_call_id,
    'currentStatusName' as attribute,
    1::integer as item_no,
    nullif(record['currentStatusName'], '') as value
from staging.twin__sessions
