-- One row if nobody can commit to a lake without its lease.
select tgname
from pg_trigger
where tgname = 'fence' and tgrelid = '{catalog}.ducklake_snapshot'::regclass
