-- A table made anew, and the rows that it has of vendors that are kept.
select *
from {built}
union all by name
select *
from {table}
where
    {vendor} in ({kept})
    and {vendor} not in (
        select {vendor} from {built} where {vendor} is not null
    )
