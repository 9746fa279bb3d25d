-- One row per call that a price list covers, in the columns of all vendors.
-- @key account, vendor_call_id
select
    account,
    record_id as vendor_call_id,
    account_id as vendor_account,
    owner_kind as price_owner_kind,
    owner_id as price_owner,
    item,
    month::date as month,
    'minute' as unit,
    minutes::decimal(18, 6) as minutes,
    units::decimal(18, 6) as units,
    billable::decimal(18, 6) as billable_units,
    amount,
    allowance > 0 and minutes > 0 as has_allowance
from staging.evovoice__usage
