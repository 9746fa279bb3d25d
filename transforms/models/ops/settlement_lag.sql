-- One row per vendor account: how long after its end a call was last seen to change.
-- A price, an end, an analysis: what a lookback must wait for. Counted are settled calls
-- that were watched from the start, at most 2 days after their end; a call first seen by a
-- backfill shows nothing. A call that never changed since was final at first sight and
-- counts as 0. A change is dated by the read that saw it, so that a lag is too long
-- by up to the time between two runs. No lag is longer than the calls are read again:
-- after the lookback only those whose end or price is pending are, until they are final.
-- @former_name main.settlement_lag
-- @key vendor, account
-- @not_null calls_watched, calls_changed
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column calls_watched [calls]: settled calls first seen within 2 days after their end
-- @column calls_changed [calls]: of them seen to change since
-- @column lag_p50_hours [hours]: half of the watched calls were final by then; NULL = none was
--     watched
-- @column lag_p90_hours [hours]: 90 % of them were; NULL = none was watched
-- @column lag_p99_hours [hours]: 99 % of them were; NULL = none was watched
-- @column lag_max_hours [hours]: all of them were; NULL = none was watched
-- @column lookback_days [days]: for how long after its end a window is read again, as configured;
--     the shortest of the streams that list a call from its first day on; NULL = no such stream
-- @column lookback_days_justified [days]: the least whole days that cover lag_max_hours; NULL =
--     none was watched
with watched as (
    select
        vendor,
        account,
        case
            when last_loaded_at > first_loaded_at
                then epoch_us(last_loaded_at) - epoch_us(coalesce(ended_at, started_at))
            else 0
        end as lag_us,
        last_loaded_at > first_loaded_at as is_changed
    from main.fact_calls
    where
        is_settled
        and not is_deleted
        -- In microseconds: a difference of times is an interval, which is slow to compare.
        and epoch_us(first_loaded_at) - epoch_us(coalesce(ended_at, started_at))
        <= 2 * 86400000000
),

lags as (
    select
        vendor,
        account,
        count(*) as calls_watched,
        count(*) filter (where is_changed) as calls_changed,
        quantile_disc(lag_us, [0.5, 0.9, 0.99, 1]) as lag_us
    from watched
    group by all
),

lookbacks as (
    select
        vendor,
        account,
        min(lookback) filter (where is_required and lag < interval 1 day) as lookback
    from ops.streams
    group by all
)

select
    lookbacks.vendor,
    lookbacks.account,
    coalesce(lags.calls_watched, 0) as calls_watched,
    coalesce(lags.calls_changed, 0) as calls_changed,
    (lags.lag_us[1] / 3600000000)::decimal(12, 3) as lag_p50_hours,
    (lags.lag_us[2] / 3600000000)::decimal(12, 3) as lag_p90_hours,
    (lags.lag_us[3] / 3600000000)::decimal(12, 3) as lag_p99_hours,
    (lags.lag_us[4] / 3600000000)::decimal(12, 3) as lag_max_hours,
    (epoch_us(lookbacks.lookback) / 86400000000)::decimal(8, 3) as lookback_days,
    ((lags.lag_us[4] + 86399999999) // 86400000000)::integer as lookback_days_justified
from lookbacks
left join lags
    on lookbacks.vendor = lags.vendor and lookbacks.account = lags.account
