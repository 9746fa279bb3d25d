-- One row per version of a price list and item of it. Of the items, those of voice calls
-- have a unit that is known.
-- @key account, price_owner_kind, price_owner, fetched_at, item
-- @not_null currency
select
    items.account,
    items.account_id as vendor_account,
    items.owner_kind as price_owner_kind,
    items.owner_id as price_owner,
    items.is_in_force,
    items.is_sent,
    items.item,
    coalesce(accounts.currency, 'USD') as currency,
    if(items.is_of_calls, 'minute', null) as unit,
    items.base_cost,
    items.raw_unit_multiplier,
    items.unit_cost,
    items.allowance,
    items.fetched_at
from staging.evovoice__price_items as items
left join config.accounts as accounts
    on items.account = accounts.account and accounts.vendor = 'evovoice'
