-- Loads that are not built yet.
select
    vendor,
    record,
    load_id
from temp."run.loads" as loads
anti join ops.built_loads as built using (vendor, load_id)
