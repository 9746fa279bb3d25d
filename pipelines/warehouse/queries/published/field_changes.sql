-- One row per change of a vendor's fields that was noticed in the last 30 days, the newest first.
select
    changes.vendor,
    changes.record,
    changes.path,
    changes.change,
    changes.noticed_on,
    changes.before,
    changes.now,
    changes.example,
    changes.noticed_on >= (info.as_of at time zone 'UTC')::date - 1 as is_new
from ops.field_changes as changes
cross join ops.build_info as info
where changes.noticed_on > (info.as_of at time zone 'UTC')::date - 30
order by
    changes.noticed_on desc, changes.vendor asc, changes.record asc, changes.path asc
