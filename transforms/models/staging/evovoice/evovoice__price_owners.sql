-- One row per version of who has a price list: an account, or a customer of it, whose list
-- is in force while it overrides that of the account. A version prices the calls from when it
-- was first read until the next one was read: a change is dated, and changes no price of before.
-- The first one also prices what came before, for nothing says what was in effect then.
-- @key account, owner_kind, owner_id, fetched_at
-- @not_null valid_from, valid_to
with owners as (
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
)

select
    *,
    if(
        row_number() over versions = 1, '-infinity'::timestamptz, fetched_at
    ) as valid_from,
    coalesce(lead(fetched_at) over versions, 'infinity'::timestamptz) as valid_to
from owners
window versions as (
    partition by account, owner_kind, owner_id
    order by fetched_at
)
