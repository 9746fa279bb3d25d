-- The ids of the complete loads of a raw file.
select load_id
from raw_file.raw._dlt_loads
where status = 0
