-- Records that began in a span of time. Its ends are literals, so that the scan of the raw file
-- skips row groups.
select
    vendor,
    account,
    record_id
from {stored} as stored
where event_at >= {start_at}::timestamptz and event_at < {end_at}::timestamptz
