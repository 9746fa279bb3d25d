-- One row per call and item of a monthly price list, or rate card, that it was rated from: what it
-- used of the month. A call priced by a rate card uses nothing of its vendor's allowance.
-- @kind incremental call_key
-- @former_name ops.rated_units
-- @key call_key, item
-- @not_null vendor, account, item, month, currency, unit, units, billable_units, amount
-- @not_null has_allowance, is_final
-- @column call_key: the call
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column vendor_account: the vendor's own number of the account; NULL = it is a rate card
-- @column price_owner_kind: as in monthly_account_usage; NULL = it is a rate card
-- @column price_owner: as in monthly_account_usage; NULL = it is a rate card
-- @column item: as in monthly_account_usage
-- @column month: first day of the UTC month whose allowance it uses
-- @column currency: ISO 4217
-- @column unit: second, minute or call
-- @column minutes [minutes]: of the call, rounded up; NULL = it is a rate card
-- @column units [unit]: that the call used
-- @column billable_units [unit]: of them those beyond the month's allowance
-- @column amount [currency]: what those cost
-- @column has_allowance: whether it used anything of an item with one, so that other calls can move
--     the amount
-- @column is_final: whether none can any more: has_allowance is false, or the month is closed
with used as (
    select
        usage.vendor || ':' || usage.account || ':' || usage.vendor_call_id as call_key,
        usage.vendor,
        usage.account,
        usage.vendor_account,
        usage.price_owner_kind,
        usage.price_owner,
        usage.item,
        usage.month,
        costs.currency,
        usage.unit,
        usage.minutes,
        usage.units,
        usage.billable_units,
        usage.amount,
        usage.has_allowance
    from staging.price_list_usage as usage
    inner join intermediate.call_cost_lines as costs
        on
            usage.vendor = costs.vendor
            and usage.account = costs.account
            and usage.vendor_call_id = costs.vendor_call_id
            and costs.is_leaf
            and not costs.has_rate_card
    union all
    select
        vendor || ':' || account || ':' || vendor_call_id as call_key,
        vendor,
        account,
        null as vendor_account,
        null as price_owner_kind,
        null as price_owner,
        item,
        month,
        currency,
        unit,
        null as minutes,
        quantity as units,
        billable as billable_units,
        (amount + fee_amount)::decimal(18, 6) as amount,
        has_allowance
    from intermediate.rate_card_lines
)

select
    used.call_key,
    used.vendor,
    used.account,
    used.vendor_account,
    used.price_owner_kind,
    used.price_owner,
    used.item,
    used.month,
    used.currency,
    used.unit,
    used.minutes,
    used.units,
    used.billable_units,
    used.amount,
    used.has_allowance,
    not used.has_allowance or months.account is not null as is_final
from used
left join intermediate.billing_months as months
    on
        months.is_closed
        and used.vendor = months.vendor
        and used.account = months.account
        and used.month = months.month
