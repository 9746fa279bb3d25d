-- in_quarantine
-- Account, stream and payload of the unreadable records just read that are stored already.
select distinct
    stored.account,
    stored.stream,
    stored.payload
from raw_file.raw.quarantine as stored
semi join fresh
    on
        stored.account = fresh.account
        and stored.stream = fresh.stream
        and stored.payload = fresh.payload
