-- Which UTC days of each stream are stored; of days that are not over it is not asked yet.
select
    days.vendor,
    days.account,
    days.stream,
    days.day,
    if(days.is_over, days.state, 'not over') as state,
    streams.is_required,
    days.is_settled,
    days.records
from ops.coverage_streams as days
inner join ops.streams as streams
    on
        days.vendor = streams.vendor
        and days.account = streams.account
        and days.stream = streams.stream
where days.day between getvariable('first_date') and getvariable('last_date')
order by all
