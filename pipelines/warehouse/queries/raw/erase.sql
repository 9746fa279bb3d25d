-- Put payloads in the place of others, by row.
update raw.{raw_table} as stored
set payload = changed.payload
from changed
where stored.rowid = changed.row_id
