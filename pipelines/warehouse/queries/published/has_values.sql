-- One row if a table has something of some calls that is another than it must be.
select 1 as found
from {built_table}
where
    call_key in (select erased.call_key from erased)
    and ({differences})
