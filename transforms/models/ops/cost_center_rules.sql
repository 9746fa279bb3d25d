-- One row per rule of cost_centers.csv, and one for the calls that no rule fits. A rule without
-- calls may have a field or a value that no call has.
-- @kind table
-- @key number
-- @nullable number
-- @not_null calls
-- @personal anyone: value
-- @column number: 1 for the first rule; NULL = the calls that no rule fits
-- @column vendor: as in the file; * = all; NULL = no rule
-- @column field: as in the file; NULL = no rule
-- @column value: as in the file; * in it = any text; NULL = no rule
-- @column cost_center: as in the file; NULL = no rule
-- @column calls [calls]: calls that have their cost center by it, without deleted ones
with counted as (
    select
        cost_center_rule as number,
        count(*) as calls
    from main.fact_calls
    where not is_deleted
    group by all
)

select
    rules.number,
    rules.vendor,
    rules.field,
    rules.value,
    rules.cost_center,
    coalesce(counted.calls, 0) as calls
from config.cost_centers as rules
left join counted on rules.number = counted.number
union all
select
    null as number,
    null as vendor,
    null as field,
    null as value,
    null as cost_center,
    coalesce(sum(calls) filter (where number is null), 0)::bigint as calls
from counted
