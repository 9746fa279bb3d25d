-- One row per TWIN call: the company whose call it is.
-- @key account, vendor_call_id, level
-- @column payer_kind: company
-- @column payer_id: companyId
select
    account,
    record_id as vendor_call_id,
    1::integer as level,
    'company' as payer_kind,
    record['companyId'] as payer_id
from staging.twin__sessions
where record['companyId'] != ''
