-- One row per record: its newest version, unless that says that it was deleted.
select
    account,
    record_id,
    event_at,
    payload
from newest
where payload is not null
