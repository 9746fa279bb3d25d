-- The suspected records that came in a run: as they are stored, or stored by it.
select
    suspected.account,
    suspected.record_id
from suspected
left join newest
    on suspected.account = newest.account and suspected.record_id = newest.record_id
where
    hash(suspected.account, suspected.record_id) in (select seen.key from seen)
    or (newest.payload is not null and newest.load_no >= getvariable('since'))
