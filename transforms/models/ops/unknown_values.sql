-- One row per vendor token without a mapping: add it to a seed, or tell the model's keeper.
-- @key vendor, field, value
-- @not_null calls, first_seen_at
-- @column vendor: as in fact_calls
-- @column field: of the vendor's record
-- @column value: its word, or value, at most 200 characters
-- @column calls [calls]: calls that have it now
-- @column first_seen_at: when the first of them was first read, UTC
select
    vendor,
    field,
    value,
    count(*) as calls,
    min(first_loaded_at) as first_seen_at
from ops.unknown_words
group by all
