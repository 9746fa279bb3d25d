-- One row per call that a price list covers: its minutes, and which of them lie beyond the
-- allowance. The billing settings are read as price_formula says (evovoice.md,
-- section 8): within a price owner, UTC month and item, calls use the allowance up in the
-- order of their creation. Each call goes by the list in effect at its creation: what was used
-- before it counts by the lists of then, against the allowance of now. A deleted call uses no
-- allowance; it is priced as if it came at its place in that order.
-- @key account, record_id
-- @not_null item, month, minutes
with rated as (
    select
        sessions.account,
        sessions.record_id,
        sessions.created_at,
        sessions.account_id,
        sessions.month,
        sessions.item,
        sessions.minutes,
        sessions.price_formula,
        sessions.owner_kind,
        sessions.owner_id,
        -- A wide type: prices have no bound. In a markup the carrier's price is multiplied,
        -- and that is not known of a call: only a unit cost can be used.
        if(
            sessions.price_formula = 'markup' and prices.unit_cost = 0, null, prices.unit_cost
        )::decimal(20, 6) as unit_cost,
        prices.allowance,
        if(
            prices.raw_unit_multiplier = 0 or sessions.price_formula = 'markup',
            1,
            prices.raw_unit_multiplier
        )::decimal(20, 6) as multiplier,
        sessions.minutes * multiplier as counted,
        deleted.record_id is not null as is_deleted
    from staging.evovoice__rated_sessions as sessions
    inner join staging.evovoice__price_items as prices
        on
            sessions.account = prices.account
            and sessions.owner_kind = prices.owner_kind
            and sessions.owner_id = prices.owner_id
            and sessions.list_read_at = prices.fetched_at
            and sessions.item = prices.item
    left join inputs.deleted as deleted
        on
            deleted.vendor = 'evovoice'
            and sessions.account = deleted.account
            and sessions.record_id = deleted.record_id
    where sessions.unrated_reason is null
),

used as (
    select
        *,
        coalesce(
            sum(counted) filter (where not is_deleted) over (
                partition by account, owner_kind, owner_id, month, item
                order by created_at, record_id
                rows between unbounded preceding and 1 preceding
            ), 0
        ) as counted_before
    from rated
)

select
    *,
    try_cast(multiplier * unit_cost as decimal(18, 6)) as unit_price,
    try_cast(counted as decimal(15, 6)) as units,
    try_cast(
        greatest(counted_before + counted - allowance, 0)
        - greatest(counted_before - allowance, 0)
        as decimal(15, 6)
    ) as billable,
    try_cast(units * unit_cost as decimal(15, 6))::decimal(18, 6) as list_amount,
    try_cast(billable * unit_cost as decimal(15, 6))::decimal(18, 6) as amount
from used
