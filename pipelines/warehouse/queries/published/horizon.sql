-- One row: what the tables are as of, and how old a call is when its account gives up
-- what is still open of it.
select
    build_info.as_of,
    max(streams.settle_after) as settle_after
from ops.build_info as build_info
left join ops.streams as streams
    on
        streams.vendor = getvariable('vendor')
        and streams.account = getvariable('account')
group by all
