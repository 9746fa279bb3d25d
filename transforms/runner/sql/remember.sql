-- Store what was built.
insert into ops.built_loads
select distinct
    vendor,
    load_id
from temp."run.loads" as loads
anti join ops.built_loads as built using (vendor, load_id);

delete from ops.build_state;

insert into ops.build_state values ({fingerprint}, {layout}, {program})
