-- quarantine_load
-- Write down a load that dlt did not make, beside dlt's own: as complete as they are.
insert into raw._dlt_loads (load_id, schema_name, status, inserted_at, schema_version_hash)
select
    getvariable('load_id') as load_id,
    schema_name,
    0 as status,
    now() as inserted_at,
    schema_version_hash
from raw._dlt_loads
order by inserted_at desc
limit 1
