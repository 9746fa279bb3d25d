-- One row per Whippy call: which way it went, when it began and how long it lasted.
-- @key account, vendor_call_id
-- @not_null direction
-- @accepted direction: inbound, outbound, unknown
with sent as (
    select
        account,
        record_id as vendor_call_id,
        lower(record['direction']) as direction,
        event_at as started_at,
        coalesce(
            nullif(record['duration'], ''),
            nullif(record['duration_ms'], ''),
            nullif(record['metadata']['duration'], '')
        ) as milliseconds
    from staging.whippy__records
)

select
    account,
    vendor_call_id,
    case when direction in ('inbound', 'outbound') then direction else 'unknown' end as direction,
    started_at,
    case
        when try_cast(milliseconds as decimal(18, 3)) >= 0
            then
                try_cast(
                    try_cast(milliseconds as decimal(18, 3)) * 0.001 as decimal(12, 3)
                )
    end as total_seconds,
    milliseconds
from sent
