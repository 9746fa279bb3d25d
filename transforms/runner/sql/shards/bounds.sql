-- By vendor, from when until when the versions of a shard's records are; without a vendor of which
-- one has no time.
select
    vendor,
    min(first_at)::varchar as low,
    max(last_at)::varchar as high
from {records}
group by vendor
having count(*) = count(first_at)
