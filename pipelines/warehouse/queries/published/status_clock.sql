-- The time that the published tables are as of.
select as_of
from ops.build_info
