-- Loads that were built and have no row in any raw table now, by vendor; `untraced` are those
-- that the loader's list of loads lacks, too.
select
    vendor,
    count(*),
    count_if(listed.load_id is null)
from ops.built_loads as built
anti join temp."run.loads" as loads using (vendor, load_id)
left join temp."inputs.loads" as listed using (vendor, load_id)
where vendor in ({vendors})
group by vendor
