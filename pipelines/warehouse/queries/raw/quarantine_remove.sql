-- quarantine_remove
-- Take the records that can be read now out of the quarantine of a raw file.
delete from raw.quarantine as stored
using readable
where
    stored.account = readable.account
    and stored.stream = readable.stream
    and stored.payload = readable.payload
