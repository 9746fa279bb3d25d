-- One row per vendor token without a mapping: add it to a seed, or tell the model's keeper.
-- @key vendor, field, value
select
    vendor,
    field,
    value,
    count(*) as calls,
    min(first_loaded_at) as first_seen_at
from ops.unknown_words
group by all
