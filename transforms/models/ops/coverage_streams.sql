-- One row per vendor account, required stream and UTC day, from the first day ever requested.
-- complete: complete reads cover the whole day, in any pieces, whatever failed since;
-- unreachable: they do so only together with what the vendor serves no more; partial: they
-- cover a part of it; in_future: none yet, and the stream does not list all of it by now.
-- @key vendor, account, stream, day
-- @accepted state: complete, partial, missing, unreachable, in_future
-- @not_null state, is_over, is_settled, is_by_event_time
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column stream: what the vendor lists by day
-- @column day: UTC day
-- @column state: complete, partial, missing, unreachable (the vendor serves it no more), in_future
-- @column is_over: whether the stream lists all of the day by now
-- @column is_settled: whether it was read completely after its lookback, so that it is not read
--     again
-- @column is_by_event_time: whether its windows have the records of their own time, not those
--     changed or billed in it
-- @column records [records]: 0 = an empty day; NULL = not loaded, or only as part of a window over
--     several days
-- @column last_read_at: start of the last complete read of any part of it, UTC; NULL = none
with requested as (
    select
        windows.vendor,
        windows.account,
        min(windows.window_start) as first_at,
        max(windows.window_end) - interval 1 microsecond as last_at
    from ops.load_windows as windows
    semi join ops.streams as streams
        on
            windows.vendor = streams.vendor
            and windows.account = streams.account
            and windows.stream = streams.stream
            and streams.is_required
    where windows.purpose not in ('settle', 'audit')
    group by all
),

days as (
    select
        streams.vendor,
        streams.account,
        streams.stream,
        streams.is_by_event_time,
        streams.lag,
        build_info.as_of,
        unnest(
            generate_series(
                date_trunc('day', requested.first_at),
                -- An account that is not configured any more is not read any more.
                case
                    when streams.is_configured then build_info.as_of
                    else least(requested.last_at, build_info.as_of)
                end,
                interval 1 day
            )
        ) as midnight
    from ops.streams as streams
    inner join requested
        on streams.vendor = requested.vendor and streams.account = requested.account
    cross join ops.build_info as build_info
    where streams.is_required
)

select
    days.vendor,
    days.account,
    days.stream,
    days.midnight::date as day,
    case
        when found.complete_us = 86400000000 then 'complete'
        when found.reached_us = 86400000000 then 'unreachable'
        when found.complete_us > 0 then 'partial'
        when days.midnight + interval 1 day + days.lag > days.as_of then 'in_future'
        else 'missing'
    end as state,
    days.midnight + interval 1 day + days.lag <= days.as_of as is_over,
    coalesce(found.settled_us = 86400000000, false) as is_settled,
    days.is_by_event_time,
    found.records,
    found.last_read_at
from days
left join intermediate.day_totals as found
    on
        days.vendor = found.vendor
        and days.account = found.account
        and days.stream = found.stream
        and days.midnight = found.midnight
