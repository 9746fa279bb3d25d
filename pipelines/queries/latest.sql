-- One row per record in a span of event times: its latest version, unless that says
-- that its vendor no longer lists it.
select
    account,
    record_id,
    event_at,
    payload
from records
qualify
    row_number() over (
        partition by account, record_id
        order by load_no desc, fetched_at desc
    ) = 1
    and payload is not null
