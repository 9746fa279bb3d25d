-- Each group with a label, at first its own, and which groups have a record in common.
create or replace temp table "run.labels" as
select
    node,
    node as label
from temp."run.groups" as groups
group by node;

create or replace temp table "run.links" as
with of_records as (
    select list_sort(list(distinct node)) as nodes
    from temp."run.groups" as groups
    group by vendor, account, record_id
),

linked as (
    select distinct nodes
    from of_records
    where len(nodes) > 1
)

select
    row_number() over () as link,
    unnest(nodes) as node
from linked
