-- One row per vendor account and UTC day, from the first day ever requested until today: whether
-- all of it was read. The state is the worst of the account's required streams, of those that list
-- all of the day by now; today is partial once something of it is read. A day without calls is
-- complete with 0 records; one that was not loaded has no count, NULL. The records are as the
-- vendor lists them by their own time: a record that two streams list counts once.
-- @key vendor, account, day
-- @accepted state: complete, partial, missing, unreachable, in_future
-- @not_null state, is_settled
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column day: UTC day
-- @column state: complete, partial, missing, unreachable (the vendor serves it no more), in_future
-- @column is_settled: whether it was read completely after its lookback, so that it is not read
--     again
-- @column records [records]: as the vendor lists them by their own time; 0 = an empty day; NULL =
--     not loaded, or only as part of a window over several days
-- @column last_read_at: start of the last complete read of any part of it, UTC; NULL = none
select
    days.vendor,
    days.account,
    days.day,
    case
        when bool_or(days.state = 'missing') then 'missing'
        when bool_or(days.is_over and days.state = 'partial') then 'partial'
        when bool_or(days.is_over and days.state = 'unreachable') then 'unreachable'
        when bool_or(days.is_over) or bool_and(days.state = 'complete') then 'complete'
        when bool_or(days.state in ('complete', 'partial')) then 'partial'
        when days.day < any_value(build_info.as_of)::date then 'missing'
        else 'in_future'
    end as state,
    bool_and(days.is_settled) as is_settled,
    max(days.records) filter (where days.is_by_event_time) as records,
    max(days.last_read_at) as last_read_at
from ops.coverage_streams as days
cross join ops.build_info as build_info
group by days.vendor, days.account, days.day
