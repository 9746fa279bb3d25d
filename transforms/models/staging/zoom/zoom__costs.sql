-- One row per Zoom engagement with a charge: Zoom gives one total and no parts. The
-- charges of its legs are taken to be in it, so they are no lines. It has a unit's price
-- where all rates of the engagement and its legs are the same.
-- @key account, vendor_call_id, line_no
-- @not_null component, amount, currency, is_leaf
-- @column line_no: always 1: Zoom gives one total
-- @column component: all of it counts as telephony
-- @column vendor_component: charge
-- @column amount: charge, the number in the text
-- @column currency: the symbol in charge, else the configured currency
-- @column unit: minute, with a unit_price
-- @column unit_price: rates of the engagement and its legs, where all are the same
-- @column source: reported
-- @column is_leaf: a charge stands alone
with rates as (
    select
        rates.account,
        rates.record_id,
        any_value(prices.amount) as amount,
        any_value(prices.currency) as currency
    from staging.zoom__rates as rates
    left join staging.zoom__prices as prices
        on rates.account = prices.account and rates.rate = prices.charge
    group by all
    having
        count(prices.amount) = count(*)
        and count(distinct prices.amount) = 1
        and count(distinct prices.currency) = 1
)

select
    calls.account,
    calls.record_id as vendor_call_id,
    1 as line_no,
    'telephony' as component,
    'charge' as vendor_component,
    charges.amount,
    charges.currency,
    case
        when rates.currency = charges.currency and calls.record['charge_type'] = 'per_minute'
            then 'minute'
    end as unit,
    if(rates.currency = charges.currency, rates.amount, null) as unit_price,
    'reported' as source,
    true as is_leaf
from staging.zoom__voice_calls as calls
inner join staging.zoom__prices as charges
    on calls.account = charges.account and calls.record['charge'] = charges.charge
left join rates
    on calls.account = rates.account and calls.record_id = rates.record_id
where charges.amount is not null
