-- quarantine_forget
-- Remove the text of the records of `old`.
update raw.quarantine as stored
set payload = old.stand_in
from old
where
    stored.account = old.account
    and stored.stream = old.stream
    and stored.payload = old.payload
