-- Put texts in the place of others.
update {built_table} as stored
set {named_column} = changed.text
from changed
where stored.rowid = changed.row_id
