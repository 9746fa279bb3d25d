-- One row per cost line of a call: the vendor's, then those that rate cards make.
-- Where there are some of these, the vendor's stand beside them and are not summed.
-- @key vendor, account, vendor_call_id, line_no
-- @not_null component, is_leaf, is_carded
with carded as (
    select
        vendor,
        account,
        vendor_call_id
    from staging.any__carded
    group by all
),

given as (
    select
        costs.* replace (costs.is_leaf and carded.vendor is null as is_leaf),
        false as is_carded
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
        amount,
        list_amount,
        (list_amount - amount)::decimal(18, 6) as discount_amount,
        currency,
        quantity,
        unit,
        unit_price,
        'rated' as source,
        true as is_leaf,
        true as is_carded
    from staging.any__carded
)

from given
union all by name
from rated
