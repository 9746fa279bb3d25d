-- One row per charge, in the columns of FOCUS 1.0: a leaf line of a call, what of a call's cost no
-- line explains, and a base cost of a month. As in daily_costs, deleted calls are charges where
-- the amount is their vendor's own; calls without a known start are left out, since a charge has a
-- period. Amounts are those of the vendor's
-- currency. What the vendors do not have (commitments, regions) is NULL.
-- noqa: disable=RF06
with lines as (
    select
        call_key,
        component,
        coalesce(vendor_component, component) as sku,
        amount,
        coalesce(list_amount, amount) as list_amount,
        if(unit is null, null, quantity) as quantity,
        if(quantity is null, null, unit) as unit,
        unit_price
    from main.fact_call_costs
    where is_leaf and amount is not null
    union all by name
    select
        call_key,
        'unallocated' as component,
        'unallocated' as sku,
        cost_unallocated as amount,
        cost_unallocated as list_amount
    from main.fact_calls
    where cost_unallocated != 0
),

charges as (
    select
        calls.vendor,
        calls.account,
        calls.currency,
        calls.started_at,
        greatest(
            calls.started_at,
            coalesce(calls.ended_at, calls.started_at + to_microseconds(
                (calls.total_seconds * 1000000)::bigint
            ), calls.started_at)
        ) as ended_at,
        date_trunc('month', calls.started_at at time zone 'UTC')::date as month,
        'Usage' as category,
        'Usage-Based' as frequency,
        lines.component,
        lines.sku,
        lines.component || ' of a call' as description,
        lines.amount,
        lines.list_amount,
        lines.quantity,
        lines.unit,
        lines.unit_price,
        calls.call_key,
        calls.payer_kind,
        coalesce(calls.payer_id, calls.payer_name) as payer_id,
        calls.payer_name,
        calls.cost_center,
        calls.cost_status
    from lines
    inner join main.fact_calls as calls on lines.call_key = calls.call_key
    where
        (not calls.is_deleted or calls.cost_source in ('reported', 'summed'))
        and calls.started_at is not null
    union all by name
    select
        vendor,
        account,
        currency,
        month::timestamp at time zone 'UTC' as started_at,
        (month + interval 1 month)::timestamp at time zone 'UTC' as ended_at,
        month,
        'Purchase' as category,
        'Recurring' as frequency,
        'base' as component,
        concat_ws(' ', vendor_account, item) as sku,
        'base cost of a month' as description,
        base_cost as amount,
        base_cost as list_amount
    from main.monthly_account_usage
    where base_cost is not null
)

select
    null::varchar as "AvailabilityZone",
    amount as "BilledCost",
    vendor || ':' || account as "BillingAccountId",
    account as "BillingAccountName",
    currency as "BillingCurrency",
    (month + interval 1 month)::timestamp at time zone 'UTC' as "BillingPeriodEnd",
    month::timestamp at time zone 'UTC' as "BillingPeriodStart",
    category as "ChargeCategory",
    null::varchar as "ChargeClass",
    description as "ChargeDescription",
    frequency as "ChargeFrequency",
    ended_at as "ChargePeriodEnd",
    started_at as "ChargePeriodStart",
    null::varchar as "CommitmentDiscountCategory",
    null::varchar as "CommitmentDiscountId",
    null::varchar as "CommitmentDiscountName",
    null::varchar as "CommitmentDiscountStatus",
    null::varchar as "CommitmentDiscountType",
    quantity as "ConsumedQuantity",
    unit as "ConsumedUnit",
    amount as "ContractedCost",
    unit_price as "ContractedUnitPrice",
    amount as "EffectiveCost",
    vendor as "InvoiceIssuerName",
    list_amount as "ListCost",
    unit_price as "ListUnitPrice",
    'Standard' as "PricingCategory",
    quantity as "PricingQuantity",
    unit as "PricingUnit",
    vendor as "ProviderName",
    vendor as "PublisherName",
    null::varchar as "RegionId",
    null::varchar as "RegionName",
    call_key as "ResourceId",
    null::varchar as "ResourceName",
    if(call_key is null, null, 'call') as "ResourceType",
    if(
        component like 'ai\_%' escape '\' or component in ('bot', 'transcription'),
        'AI and Machine Learning',
        'Business Applications'
    ) as "ServiceCategory",
    component as "ServiceName",
    vendor || ':' || sku as "SkuId",
    concat_ws(' ', vendor || ':' || sku, currency, unit_price, unit) as "SkuPriceId",
    payer_kind || ':' || payer_id as "SubAccountId",
    payer_name as "SubAccountName",
    if(cost_center is null, '{}', json_object('cost_center', cost_center)::varchar) as "Tags",
    cost_status as "x_CostStatus"
from charges
order by vendor asc, account asc, started_at asc, call_key asc, component asc, sku asc, amount asc
