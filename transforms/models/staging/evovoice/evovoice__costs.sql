-- One row per rated call: its minutes beyond the allowance, at the price of its
-- price owner.
-- The vendor reports no cost, and the base cost of a month is in no call.
-- @key account, vendor_call_id, line_no
-- @not_null amount, list_amount, discount_amount, currency, quantity, unit_price
-- @column line_no: always 1
-- @column component: all of it is telephony
-- @column vendor_component: inboundVoiceCalls or outboundVoiceCalls, by the direction
-- @column amount: minutes beyond the month's allowance times unitCost of the
--     billingSettings of its customer or account
-- @column list_amount: all minutes times unitCost
-- @column discount_amount: what the allowance saved
-- @column currency: the configured currency, else USD
-- @column quantity: minutes of the call, rounded up
-- @column unit: minute
-- @column unit_price: unitCost times rawUnitMultiplier
-- @column source: rated: the vendor sends no cost of a call
-- @column is_leaf: a call has one line
-- @column has_allowance: whether it has minutes of an item with an allowance, so that other calls
--     can move the amount
select
    rated.account,
    rated.record_id as vendor_call_id,
    1 as line_no,
    'telephony' as component,
    rated.item as vendor_component,
    rated.amount,
    rated.list_amount,
    (rated.list_amount - rated.amount)::decimal(18, 6) as discount_amount,
    coalesce(accounts.currency, 'USD') as currency,
    rated.minutes::decimal(18, 6) as quantity,
    'minute' as unit,
    rated.unit_price,
    'rated' as source,
    true as is_leaf,
    rated.allowance > 0 and rated.minutes > 0 as has_allowance
from staging.evovoice__usage as rated
left join config.accounts as accounts
    on rated.account = accounts.account and accounts.vendor = 'evovoice'
where
    rated.allowance is not null -- or greatest() would take it for enough
    and list_count([rated.amount, rated.list_amount, rated.unit_price]) = 3
