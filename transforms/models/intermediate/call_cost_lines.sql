-- One row per cost line of a call: first the vendor's, then those of rate cards. Where a
-- rate card prices a call, the vendor's lines are no leaves, so that they are not summed.
-- @key vendor, account, vendor_call_id, line_no
-- @not_null component, is_leaf, has_allowance, has_rate_card
with priced_by_card as (
    select
        vendor,
        account,
        vendor_call_id
    from intermediate.rate_card_lines
    group by all
),

vendor_lines as (
    select
        costs.vendor,
        costs.account,
        costs.vendor_call_id,
        costs.line_no,
        costs.component,
        costs.vendor_component,
        costs.amount,
        costs.list_amount,
        costs.discount_amount,
        costs.currency,
        costs.quantity,
        costs.unit,
        costs.unit_price,
        costs.source,
        costs.is_leaf and priced_by_card.vendor is null as is_leaf,
        costs.billed_at,
        costs.vendor_transaction_id,
        costs.leg_no,
        coalesce(costs.has_allowance, false) as has_allowance,
        false as has_rate_card
    from staging.costs as costs
    left join priced_by_card
        on
            costs.vendor = priced_by_card.vendor
            and costs.account = priced_by_card.account
            and costs.vendor_call_id = priced_by_card.vendor_call_id
),

-- Of a rate card, what its units cost, and beside it its connection fee.
card_parts as (
    select
        vendor,
        account,
        vendor_call_id,
        component,
        currency,
        line_count,
        has_allowance,
        amount,
        list_amount,
        quantity,
        unit,
        unit_price,
        false as is_fee
    from intermediate.rate_card_lines
    union all
    select
        vendor,
        account,
        vendor_call_id,
        component,
        currency,
        line_count,
        false as has_allowance,
        fee_amount as amount,
        fee_amount as list_amount,
        pieces::decimal(18, 6) as quantity,
        'call' as unit,
        connection_fee as unit_price,
        true as is_fee
    from intermediate.rate_card_lines
    where fee_amount > 0
),

card_lines as (
    select
        vendor,
        account,
        vendor_call_id,
        (
            line_count + row_number() over (
                partition by vendor, account, vendor_call_id
                order by component, is_fee
            )
        )::integer as line_no,
        component,
        null as vendor_component,
        amount,
        list_amount,
        (list_amount - amount)::decimal(18, 6) as discount_amount,
        currency,
        quantity,
        unit,
        unit_price,
        'rated' as source,
        true as is_leaf,
        null as billed_at,
        null as vendor_transaction_id,
        null as leg_no,
        has_allowance,
        true as has_rate_card
    from card_parts
)

select *
from vendor_lines
union all
select *
from card_lines
