-- One row per version of an account and item of its price list; the account's own cost is
-- the item base.
-- @key account, vendor_account, fetched_at, item
-- @not_null currency
with items as (
    select
        account,
        record_id as vendor_account,
        item,
        'minute' as unit,
        base_cost,
        allowance,
        fetched_at
    from staging.evovoice__accounts
    union all
    select
        account,
        record_id as vendor_account,
        'base' as item,
        null as unit,
        account_base_cost as base_cost,
        null as allowance,
        fetched_at
    from staging.evovoice__accounts
    where item = 'inboundVoiceCalls'
)

select
    items.account,
    items.vendor_account,
    items.item,
    coalesce(accounts.currency, 'USD') as currency,
    items.unit,
    items.base_cost,
    items.allowance,
    items.fetched_at
from items
left join config.accounts as accounts
    on items.account = accounts.account and accounts.vendor = 'evovoice'
