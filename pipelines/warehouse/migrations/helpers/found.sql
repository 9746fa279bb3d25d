-- The newest layout of a raw file, and the program that gave it.
select
    layout,
    program
from callhouse.layout
order by layout desc, since desc
limit 1
