-- Let nobody commit to a lake without its lease.
create or replace trigger fence before insert on {catalog}.ducklake_snapshot
for each row execute function callhouse.fence('{lease}')
