-- One row per record just read, as in changed.sql, where none of them is stored.
select
    hash(account, record_id) as key,
    hash(payload) as version,
    true as is_new,
    false as is_same,
    false as was_deleted
from fresh
order by position
