-- One row per month, price owner and item of its price list, or rate card: what is paid whatever
-- is called, and what was called. A rate card is an item of its own, for each vendor. Deleted and
-- unrated calls do not count.
-- @kind table
-- @former_name main.account_months
-- @key month, vendor, account, vendor_account, price_owner_kind, price_owner, item
-- @nullable vendor_account, price_owner_kind, price_owner
-- @not_null currency, is_final, complete_days, share_known
-- @check price_owner is not null or abs(billable_units - greatest(units - allowance, 0)) <=
--     (calls + 1) * 0.000001
-- @column month: its first day, in UTC
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column vendor_account: the vendor's own number of the account; a login may have several; NULL =
--     it is a rate card, or the vendor does not say
-- @column price_owner_kind: whose prices they are: account, or customer: one within an account with
--     prices of its own; NULL = it is a rate card
-- @column price_owner: the vendor's own number of it; NULL = it is a rate card
-- @column item: what the price list calls it: base for the price owner itself, else in its own words;
--     of a rate card its direction, component, handled_by and first day
-- @column currency: ISO 4217
-- @column base_cost [currency]: paid once in the month, and part of no call; NULL = the list has
--     none, or another rate card followed in the month
-- @column allowance [unit]: units of the month that cost nothing; NULL = there are no units. Of an
--     item that no call is rated by it is counted in the vendor's own units
-- @column calls [calls]: rated calls; NULL = no call is rated by the item, as by the base
-- @column unit: second, minute or call, as the allowance and the units are counted in; NULL = no
--     call is rated by the item
-- @column minutes [minutes]: minutes of them, each call's rounded up; NULL = calls is, or it
--     is a rate card
-- @column units [unit]: what they used; on a price list minutes times its multiplier; NULL = calls
--     is
-- @column billable_units [unit]: units beyond the allowance; NULL = calls is
-- @column usage_cost [currency]: what those cost, and connection fees: the part of cost_total of the
--     calls that the item makes; NULL = calls is
-- @column complete_days [days]: of the month, those that are complete in ops.coverage_days: what the
--     account lacks of its calls, it lacks of the allowance's use
-- @column share_known [percent]: complete_days of the days of the month
-- @column is_final: whether the month is over, settle_after has passed since, and all of its days are
--     complete and were read after their lookback: until then the costs within an allowance are
--     provisional
with used as (
    select
        rated.month,
        rated.vendor,
        rated.account,
        rated.price_owner_kind,
        rated.price_owner,
        rated.item,
        count(*) as calls,
        sum(rated.minutes) as minutes,
        sum(rated.units) as units,
        sum(rated.billable_units) as billable_units,
        sum(rated.amount) as usage_cost
    from intermediate.rated_units as rated
    inner join main.fact_calls as facts on rated.call_key = facts.call_key
    where not facts.is_deleted
    group by all
),

listed as (
    from intermediate.price_list_months
    union all by name
    from intermediate.rate_card_months
)

select
    listed.month,
    listed.vendor,
    listed.account,
    listed.vendor_account,
    listed.price_owner_kind,
    listed.price_owner,
    listed.item,
    listed.currency,
    listed.base_cost::decimal(18, 6) as base_cost,
    listed.allowance::decimal(18, 6) as allowance,
    if(listed.unit is null, null, coalesce(used.calls, 0)) as calls,
    listed.unit,
    if(listed.price_owner is null or listed.unit is null, null, coalesce(used.minutes, 0))
    ::decimal(24, 6) as minutes,
    if(listed.unit is null, null, coalesce(used.units, 0))::decimal(24, 6) as units,
    if(listed.unit is null, null, coalesce(used.billable_units, 0))::decimal(24, 6)
        as billable_units,
    if(listed.unit is null, null, coalesce(used.usage_cost, 0))::decimal(24, 6) as usage_cost,
    coalesce(months.complete_days, 0) as complete_days,
    round(100 * coalesce(months.complete_days, 0) / day(last_day(listed.month)), 1)
    ::decimal(4, 1) as share_known,
    coalesce(months.is_closed, false) as is_final
from listed
left join intermediate.billing_months as months
    on
        listed.month = months.month
        and listed.vendor = months.vendor
        and listed.account = months.account
left join used
    on
        listed.month = used.month
        and listed.vendor = used.vendor
        and listed.account = used.account
        and listed.price_owner_kind is not distinct from used.price_owner_kind
        and listed.price_owner is not distinct from used.price_owner
        and listed.item = used.item
