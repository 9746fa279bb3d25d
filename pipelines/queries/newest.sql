-- The newest version of each record: of the latest load, a deletion included.
create view newest as
select
    account,
    record_id,
    event_at,
    window_from,
    load_no,
    payload
from records
qualify row_number() over (
    partition by account, record_id
    order by load_no desc, fetched_at desc
) = 1
