-- One row per call rated from an account's monthly price list: what it used of the month.
-- @kind incremental call_key
-- @key call_key
-- @not_null vendor_account, item, month, minutes, units, billable_units, vendor, account
-- @column call_key: the call
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column vendor_account: the vendor's own number of the account
-- @column item: what the price list calls it
-- @column month: first day of the UTC month whose allowance it uses
-- @column minutes [minutes]: of the call, rounded up
-- @column units [units]: minutes times the list's multiplier
-- @column billable_units [units]: units of the call beyond the month's allowance
select
    'evovoice:' || usage.account || ':' || usage.record_id as call_key,
    'evovoice' as vendor,
    usage.account,
    usage.account_id as vendor_account,
    usage.item,
    usage.month::date as month,
    usage.minutes::decimal(18, 6) as minutes,
    usage.units::decimal(18, 6) as units,
    usage.billable::decimal(18, 6) as billable_units
from staging.evovoice__usage as usage
inner join staging.evovoice__costs as costs
    on usage.account = costs.account and usage.record_id = costs.vendor_call_id
