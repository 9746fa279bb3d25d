-- Every payload of a table, with its row, account and one more column.
select
    rowid as row_id,
    account,
    {named_column},
    payload
from raw.{raw_table}
where payload is not null and {condition}
