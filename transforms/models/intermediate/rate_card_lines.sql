-- One row per call and component that a rate card prices: what it used, and what it pays.
-- A card prices a call that has ended, where its vendor gives no price and none is to
-- come; where one of the call's cards overrides, the vendor's price is set aside and all
-- of them count. Of several cards of a component that are valid, one for those who handled
-- the call goes before one for anybody, and of these the latest one counts.
-- Within a card and UTC month, calls use the allowance up in the order of their start.
-- A deleted call uses nothing of it; its own price is the one at its place in that order.
-- What is measured of a call is its parts: the whole call, its talk, or each of its legs. Each part
-- that is not 0 counts at least the minimum, then the initial seconds, then increments begun; and
-- pays the connection fee, which no allowance covers. A call of which a part is not known, or
-- not whether it was answered where only answered ones pay, has no cost by the card.
-- @key vendor, account, vendor_call_id, component
-- @not_null item, month, currency, unit, unit_price, quantity, billable, list_amount, amount
-- @not_null pieces, connection_fee, fee_amount, has_allowance
with vendor_lines as (
    select
        vendor,
        account,
        vendor_call_id,
        max(line_no) as line_count,
        count(amount) filter (where is_leaf) > 0 as is_priced
    from staging.costs
    group by all
),

legs as (
    select
        vendor,
        account,
        vendor_call_id,
        list(struct_pack(seconds := total_seconds, is_answered := is_successful)) as legs
    from staging.legs
    where
        (vendor, account) in (
            select (cards.vendor, cards.account)
            from config.rate_cards as cards
            where cards.basis = 'leg'
        )
    group by all
),

with_rate_card as (
    select
        cards.*,
        calls.vendor_call_id,
        calls.started_at,
        date_trunc('month', calls.started_at at time zone 'UTC')::date as month,
        case cards.basis
            when 'leg'
                then legs.legs
            when 'talk'
                then [
                    struct_pack(
                        seconds := if(
                            calls.is_answered is false,
                            0,
                            coalesce(calls.talk_seconds, calls.ai_seconds, calls.bot_seconds)
                        ),
                        is_answered := calls.is_answered
                    )
                ]
            else
                [
                    struct_pack(
                        -- The hours until a callback are on nobody's line.
                        seconds := coalesce(
                            calls.billed_seconds,
                            if(
                                calls.call_type = 'callback', calls.line_seconds,
                                calls.total_seconds
                            )
                        ),
                        is_answered := calls.is_answered
                    )
                ]
        end as sent_parts,
        coalesce(vendor_lines.line_count, 0) as line_count,
        calls.cost_status = 'final' or calls.reported_cost is not null
        or coalesce(vendor_lines.is_priced, false) as has_price,
        deleted.record_id is not null as is_deleted
    from staging.calls as calls
    inner join config.rate_cards as cards
        on
            calls.vendor = cards.vendor
            and calls.account = cards.account
            and calls.direction = cards.direction
            and (calls.started_at at time zone 'UTC')::date
            between cards.valid_from and coalesce(cards.valid_to, 'infinity'::date)
            and (
                cards.handled_by is null
                or cards.handled_by
                = case calls.is_bot_handled when true then 'ai' when false then 'human' end
            )
    left join vendor_lines
        on
            calls.vendor = vendor_lines.vendor
            and calls.account = vendor_lines.account
            and calls.vendor_call_id = vendor_lines.vendor_call_id
    left join legs
        on
            calls.vendor = legs.vendor
            and calls.account = legs.account
            and calls.vendor_call_id = legs.vendor_call_id
    left join inputs.deleted as deleted
        on
            calls.vendor = deleted.vendor
            and calls.account = deleted.account
            and calls.vendor_call_id = deleted.record_id
    where
        calls.cost_status in ('none', 'final')
        and calls.outcome != 'in_progress'
    qualify row_number() over (
        partition by calls.vendor, calls.account, calls.vendor_call_id, cards.component
        order by cards.handled_by is null, cards.valid_from desc
    ) = 1
),

parted as (
    select
        *,
        list_transform(
            sent_parts,
            -- Sizes are in whole microseconds, or millionths of a call: exact, and DuckDB
            -- divides decimals as floats.
            lambda x: if(
                answered_only,
                case x['is_answered']
                    when true then (x['seconds'] * 1000000)::hugeint when false then 0
                end,
                (x['seconds'] * 1000000)::hugeint
            )
        ) as parts
    from with_rate_card
),

measured as (
    select
        *,
        if(unit = 'minute', 60, 1)::hugeint as seconds,
        seconds * 1000000 as size,
        (unit_price * 1000000)::hugeint as price,
        (allowance * 1000000)::hugeint * seconds as free,
        (minimum * 1000000)::hugeint as least,
        (initial * 1000000)::hugeint as first,
        (increment * 1000000)::hugeint as step,
        list_filter(parts, lambda x: x > 0) as paid_parts,
        len(paid_parts) as pieces,
        coalesce(list_sum(list_transform(
            paid_parts,
            lambda x: if(
                unit = 'call',
                1000000,
                first + (greatest(x, least, first) - first + step - 1) // step * step
            )
        )), 0)::hugeint as used
    from parted
    where list_count(parts) = len(parts)
    qualify
        not has_price
        or bool_or(overrides) over (partition by vendor, account, vendor_call_id)
),

counted as (
    select
        *,
        coalesce(
            sum(used) filter (where not is_deleted) over (
                partition by
                    vendor, account, direction, component, handled_by, valid_from, month
                order by started_at, vendor_call_id
                rows between unbounded preceding and 1 preceding
            ), 0
        )::hugeint as used_before,
        greatest(used_before + used - free, 0) - greatest(used_before - free, 0) as paid
    from measured
)

select
    vendor,
    account,
    vendor_call_id,
    component,
    concat_ws(' ', direction, component, handled_by, valid_from) as item,
    month,
    currency,
    unit,
    unit_price,
    line_count,
    -- Each rounded half up.
    ((used * 1000000 + size // 2) // size * 0.000001)::decimal(18, 6) as quantity,
    ((paid * 1000000 + size // 2) // size * 0.000001)::decimal(18, 6) as billable,
    ((used * price + size // 2) // size * 0.000001)::decimal(18, 6) as list_amount,
    ((paid * price + size // 2) // size * 0.000001)::decimal(18, 6) as amount,
    pieces,
    connection_fee,
    (pieces * connection_fee)::decimal(18, 6) as fee_amount,
    allowance > 0 and used > 0 as has_allowance
from counted
