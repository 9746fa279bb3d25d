-- One row per Whippy call and component that has a rate card; without one, none.
-- Whippy gives no price of a call. A card's increment and minimum are seconds, its unit
-- is second, minute or call; every started increment counts, and no call of 0 seconds.
-- @key account, vendor_call_id, line_no
-- @not_null component, amount, currency
with carded as (
    select
        spans.account,
        spans.vendor_call_id,
        cards.component,
        cards.currency,
        cards.unit,
        cards.unit_price,
        (cards.unit_price * 1000000)::hugeint as millionths,
        case cards.unit when 'second' then 1000 when 'minute' then 60000 when 'call' then 1 end
            as unit_size,
        (spans.total_seconds * 1000)::bigint as milliseconds,
        (cards.minimum * 1000)::bigint as minimum,
        greatest((cards.increment * 1000)::bigint, 1) as increment
    from staging.whippy__spans as spans
    inner join config.rate_cards as cards
        on
            cards.vendor = 'whippy'
            and spans.account = cards.account
            and spans.direction = cards.direction
            and (spans.started_at at time zone 'UTC')::date
            between cards.valid_from and coalesce(cards.valid_to, 'infinity'::date)
    qualify row_number() over (
        partition by spans.account, spans.vendor_call_id, cards.component
        order by cards.valid_from desc, cards.unit asc, cards.unit_price asc, cards.currency asc
    ) = 1
),

measured as (
    select
        *,
        case
            when milliseconds = 0 then 0
            when unit = 'call' then 1
            else (greatest(milliseconds, minimum) + increment - 1) // increment * increment
        end as billed
    from carded
    where milliseconds is not null and unit_size is not null
)

select
    account,
    vendor_call_id,
    row_number() over (partition by account, vendor_call_id order by component)::integer
        as line_no,
    component,
    -- In whole millionths, rounded half up: DuckDB divides decimals as floats.
    ((billed * millionths + unit_size // 2) // unit_size * 0.000001)::decimal(18, 6) as amount,
    currency,
    (billed / unit_size)::decimal(18, 6) as quantity,
    unit,
    unit_price,
    'rated' as source,
    true as is_leaf
from measured
