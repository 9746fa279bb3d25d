-- One row per rated call: its minutes beyond the allowance, at the account's price.
-- The vendor reports no cost, and the base cost of the account's month is in no call.
-- @key account, vendor_call_id, line_no
-- @not_null amount, list_amount, discount_amount, currency, quantity, unit_price
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
    true as is_leaf
from staging.evovoice__usage as rated
left join config.accounts as accounts
    on rated.account = accounts.account and accounts.vendor = 'evovoice'
where
    rated.allowance is not null -- or greatest() would take it for enough
    and list_count([rated.amount, rated.list_amount, rated.unit_price]) = 3
