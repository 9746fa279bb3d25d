-- Forget the loads of a build before, except of vendors whose calls are kept.
delete from ops.built_loads
where not coalesce(vendor in ({kept}), false);

delete from ops.kept_vendors;

insert into ops.kept_vendors
select vendor
from (select unnest([{kept}]) as vendor) as kept
where vendor is not null
