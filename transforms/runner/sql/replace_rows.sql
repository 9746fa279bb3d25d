-- Put rows in the place of those of the same calls or days.
delete from {table}
where {condition};

insert into {table} by name
select *
from {built}
