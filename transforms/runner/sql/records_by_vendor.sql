-- How many records are rebuilt, by vendor.
select
    vendor,
    count(*)
from temp."run.records"
group by vendor
order by vendor
