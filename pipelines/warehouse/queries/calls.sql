-- Records that a vendor still lists: each is a call.
select
    account,
    record_id,
    event_at
from latest
