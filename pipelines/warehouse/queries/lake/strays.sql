-- Files below the folder of a lake that none of its tables has.
select stored.file
from glob('{data}**') as stored
where stored.file not in ({files})
order by stored.file
