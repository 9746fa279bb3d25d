-- One row: what the tables are as of, the settings behind them, and the dates that there are.
select
    strftime(info.as_of at time zone info.reporting_time_zone, '%Y-%m-%d %H:%M') as as_of,
    (info.as_of at time zone info.reporting_time_zone)::date as as_of_date,
    info.reporting_time_zone,
    info.reporting_currency,
    info.service_level_seconds,
    info.phone_numbers,
    min(calls.call_date) as first_date,
    max(calls.call_date) as last_date,
    coalesce(sum(calls.calls), 0)::bigint as all_calls,
    coalesce(sum(calls.calls) filter (where calls.call_date is null), 0)::bigint
        as calls_without_date
from ops.build_info as info
left join main.daily_calls as calls on true
group by all
