-- One row per cost line of a call: the vendor's, then those that rate cards make.
-- Where there are some of these, the vendor's stand beside them and are not summed.
-- @key vendor, account, vendor_call_id, line_no
-- @not_null component, is_leaf, has_rate_card
with carded as (
    select
        vendor,
        account,
        vendor_call_id
    from intermediate.rate_card_lines
    group by all
),

given as (
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
        costs.is_leaf and carded.vendor is null as is_leaf,
        costs.billed_at,
        costs.vendor_transaction_id,
        false as has_rate_card
    from staging.costs as costs
    left join carded
        on
            costs.vendor = carded.vendor
            and costs.account = carded.account
            and costs.vendor_call_id = carded.vendor_call_id
),

rated as (
    select
        vendor,
        account,
        vendor_call_id,
        (
            line_count + row_number() over (
                partition by vendor, account, vendor_call_id
                order by component
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
        true as has_rate_card
    from intermediate.rate_card_lines
)

select *
from given
union all
select *
from rated
