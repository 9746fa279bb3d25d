-- One row per call that the account's price list covers: its minutes, and which of them
-- lie beyond the allowance. The billing settings are read literally (evovoice.md,
-- section 8): within an account, UTC month and item, calls use the allowance up in the
-- order of their creation. A deleted call uses no allowance; it is priced as if it came
-- at its place in that order.
-- @key account, record_id
-- @not_null item, month, minutes
with voice as (
    select
        sessions.account,
        sessions.record_id,
        sessions.created_at,
        sessions.session['accountId'] as account_id,
        date_trunc('month', sessions.created_at at time zone 'UTC') as month,
        case
            when sessions.session['direction'] in ('Incoming', '0') then 'inboundVoiceCalls'
            when sessions.session['direction'] in ('Outgoing', '1') then 'outboundVoiceCalls'
        end as item,
        case
            when sessions.is_missed then 0
            else
                (epoch_us(sessions.completed_at) - epoch_us(sessions.created_at) + 59999999)
                // 60000000
        end::decimal(18, 0) as minutes,
        deleted.record_id is not null as is_deleted
    from staging.evovoice__sessions as sessions
    left join inputs.deleted as deleted
        on
            deleted.vendor = 'evovoice'
            and sessions.account = deleted.account
            and sessions.record_id = deleted.record_id
    where
        sessions.session['channel'] in ('Voice', '0')
        and sessions.has_ended
        and (sessions.is_missed or sessions.completed_at is not null)
),

used as (
    select
        *,
        (month + interval 1 month) at time zone 'UTC' as month_end,
        coalesce(
            sum(minutes) filter (where not is_deleted) over (
                partition by account, account_id, month, item
                order by created_at, record_id
                rows between unbounded preceding and 1 preceding
            ), 0
        )::decimal(18, 0) as minutes_before,
        minutes_before + minutes as minutes_after
    from voice
),

priced as (
    select
        used.*,
        -- A wide type: prices have no bound.
        prices.unit_cost::decimal(20, 6) as unit_cost,
        prices.allowance,
        if(prices.raw_unit_multiplier = 0, 1, prices.raw_unit_multiplier)::decimal(20, 6)
            as multiplier
    from used
    inner join staging.evovoice__accounts as prices
        on
            used.account = prices.account
            and used.account_id = prices.record_id
            and used.item = prices.item
    -- The last version read before the month was over, else the first one known.
    qualify row_number() over (
        partition by used.account, used.record_id
        order by
            prices.fetched_at >= used.month_end,
            abs(epoch_us(used.month_end) - epoch_us(prices.fetched_at))
    ) = 1
)

select
    *,
    try_cast(multiplier * unit_cost as decimal(18, 6)) as unit_price,
    try_cast(minutes * multiplier as decimal(15, 6)) as units,
    try_cast(
        greatest(minutes_after * multiplier - allowance, 0)
        - greatest(minutes_before * multiplier - allowance, 0)
        as decimal(15, 6)
    ) as billable,
    try_cast(units * unit_cost as decimal(15, 6))::decimal(18, 6) as list_amount,
    try_cast(billable * unit_cost as decimal(15, 6))::decimal(18, 6) as amount
from priced
