-- Records with a version from a load that is not built yet. The ids are literals, so that the
-- scan of the raw file skips row groups.
select
    vendor,
    account,
    record_id
from {stored} as stored
where _dlt_load_id in ({load_ids})
