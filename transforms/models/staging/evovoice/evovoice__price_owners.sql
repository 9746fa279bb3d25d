-- One row per version of who has a price list: an account, or a customer of it, whose list
-- is in force while it overrides that of the account.
-- @key account, owner_kind, owner_id, fetched_at
select
    account,
    'account' as owner_kind,
    record_id as owner_id,
    record_id as account_id,
    true as is_in_force,
    is_byoa,
    settings,
    unmapped_values,
    fetched_at,
    load_no
from staging.evovoice__accounts
union all
select
    account,
    'customer' as owner_kind,
    record_id as owner_id,
    account_id,
    has_own_prices as is_in_force,
    false as is_byoa,
    settings,
    unmapped_values,
    fetched_at,
    load_no
from staging.evovoice__customers
