-- One row per vendor, field and value that nothing here can use: a word that no seed maps
-- (add it there), or a value that does not fit the type of its field.
-- @former_name ops.unknown_values
-- @key vendor, field, value
-- @not_null calls, first_seen_at
-- @personal anyone: value
-- @column vendor: as in fact_calls
-- @column field: of the vendor's record
-- @column value [may be a number]: as in unmapped_values_by_call
-- @column calls [calls]: calls that have it now
-- @column first_seen_at: when the first of them was first read, UTC
select
    vendor,
    field,
    value,
    count(*) as calls,
    min(first_loaded_at) as first_seen_at
from ops.unmapped_values_by_call
group by all
