-- One row per call that the account's price list covers, in the columns of all vendors.
-- @key account, vendor_call_id
select
    account,
    record_id as vendor_call_id,
    account_id as vendor_account,
    item,
    month::date as month,
    'minute' as unit,
    minutes::decimal(18, 6) as minutes,
    units::decimal(18, 6) as units,
    billable::decimal(18, 6) as billable_units,
    amount
from staging.evovoice__usage
