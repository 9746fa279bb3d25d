-- One row per charge of a Zoom engagement, and per rate that it names. Zoom gives one total
-- and no parts; the charges of its legs are taken to be in it, so they are no lines. Without a
-- charge of the engagement, those of its legs are the lines, and their sum is its cost (zoom.md,
-- section 8). A charge has a unit's price where all rates of the engagement and its legs are the same.
-- @key account, vendor_call_id, line_no
-- @not_null component, currency, is_leaf
-- @check (amount is not null) = is_leaf
-- @column line_no: 1 the charge, then the rates in the order of the list, then the legs
-- @column component: all of it counts as telephony
-- @column vendor_component: charge, rates, voice_call_details.charge
-- @column amount: charge, the number in the text; NULL = it is a rate
-- @column currency: the symbol in charge or in the rate, else the configured currency
-- @column unit: minute, with a unit_price, where charge_type says so
-- @column unit_price: of the charge: rates of the engagement and its legs, where all are the
--     same; of a rate: the rate
-- @column source: reported
-- @column is_leaf: the charge, else each leg's; a rate says how it came about
-- @column leg_no: of a leg's charge: the leg
with same_rates as (
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
),

rates as (
    select
        account,
        record_id,
        record['charge_type'] as charge_type,
        unnest(record['rates']) as rate,
        generate_subscripts(record['rates'], 1) as place
    from staging.zoom__voice_calls
)

select
    calls.account,
    calls.record_id as vendor_call_id,
    1::integer as line_no,
    'telephony' as component,
    'charge' as vendor_component,
    charges.amount,
    charges.currency,
    case
        when same_rates.currency = charges.currency and calls.record['charge_type'] = 'per_minute'
            then 'minute'
    end as unit,
    if(same_rates.currency = charges.currency, same_rates.amount, null) as unit_price,
    'reported' as source,
    true as is_leaf,
    null as leg_no
from staging.zoom__voice_calls as calls
inner join staging.zoom__prices as charges
    on calls.account = charges.account and calls.record['charge'] = charges.charge
left join same_rates
    on calls.account = same_rates.account and calls.record_id = same_rates.record_id
where charges.amount is not null
union all
select
    rates.account,
    rates.record_id as vendor_call_id,
    (1 + rates.place)::integer as line_no,
    'telephony' as component,
    'rates' as vendor_component,
    null as amount,
    prices.currency,
    if(rates.charge_type = 'per_minute', 'minute', null) as unit,
    prices.amount as unit_price,
    'reported' as source,
    false as is_leaf,
    null as leg_no
from rates
inner join staging.zoom__prices as prices
    on rates.account = prices.account and rates.rate = prices.charge
where prices.amount is not null
union all
select
    legs.account,
    legs.vendor_call_id,
    (1 + coalesce(len(calls.record['rates']), 0) + legs.leg_no)::integer as line_no,
    'telephony' as component,
    'voice_call_details.charge' as vendor_component,
    legs.amount,
    legs.currency,
    null as unit,
    null as unit_price,
    'reported' as source,
    true as is_leaf,
    legs.leg_no
from staging.zoom__leg_charges as legs
inner join staging.zoom__voice_calls as calls
    on legs.account = calls.account and legs.vendor_call_id = calls.record_id
where legs.is_cost
