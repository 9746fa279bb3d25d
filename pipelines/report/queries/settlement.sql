-- How long after its end a call was last seen to change, beside how long it is read again.
select
    vendor,
    account,
    calls_watched,
    calls_changed,
    lag_p50_hours,
    lag_p90_hours,
    lag_p99_hours,
    lag_max_hours,
    lookback_days,
    lookback_days_justified
from ops.settlement_lag
order by all
