-- How many keys more than one row has.
select count(*)
from (
    select 1
    from {place}
    group by {key}
    having count(*) > 1
) as repeated
