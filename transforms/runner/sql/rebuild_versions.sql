-- inputs.rebuild: of the versions of the records to rebuild, what a *.rebuild.sql may read.
select
    vendor,
    account,
    record_id,
    event_at
from {marked} as marked
