-- One row: the time that the tables are as of.
select as_of
from ops.build_info
