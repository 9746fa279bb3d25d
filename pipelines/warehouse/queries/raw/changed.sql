-- One row per record just read: the hashes of what it is and of what it says, whether it is
-- stored at all, whether it is as the newest stored version has it, and whether that one
-- says that the record was deleted.
select
    hash(fresh.account, fresh.record_id) as key,
    hash(fresh.payload) as version,
    newest.record_id is null as is_new,
    coalesce(newest.payload = fresh.payload, false) as is_same,
    newest.record_id is not null and newest.payload is null as was_deleted
from fresh
left join newest
    on fresh.account = newest.account and fresh.record_id = newest.record_id
order by fresh.position
