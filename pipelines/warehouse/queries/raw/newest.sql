-- The newest version of each record: of the latest load, a deletion included.
-- Joined by their keys, so that nobody holds the payloads of all of them at once.
create view newest as
with latest_load as (
    select
        account,
        record_id,
        max(row(load_no, fetched_at, event_at)) as version
    from records
    group by account, record_id
)

select
    records.account,
    records.record_id,
    records.event_at,
    records.window_from,
    records.load_no,
    records.payload
from records
semi join latest_load
    on
        records.account = latest_load.account
        and records.record_id = latest_load.record_id
        and row(records.load_no, records.fetched_at, records.event_at)
        = latest_load.version
