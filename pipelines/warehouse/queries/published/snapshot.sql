-- One row: what a file's tables are as of, and how many calls they have.
select
    build_info.as_of,
    (select count(*) from main.fact_calls) as calls
from ops.build_info as build_info
