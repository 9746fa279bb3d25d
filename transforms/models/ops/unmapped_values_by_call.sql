-- One row per call, field and value that nothing here can use: a word that no seed maps,
-- or a value that does not fit the type of its field.
-- @former_name ops.unknown_words
-- @kind incremental call_key
-- @key call_key, field, value
-- @not_null vendor, first_loaded_at
-- @personal anyone: value
-- @column call_key: the call
-- @column vendor: as in fact_calls
-- @column field: of the vendor's record
-- @column value [may be a number]: its first 200 characters; of an object or a list `no scalar`; of a field that is
--     needed and absent `missing`
-- @column first_loaded_at: when the call was first read, UTC
with unmapped as (
    select
        vendor || ':' || account || ':' || vendor_call_id as call_key,
        vendor,
        first_loaded_at,
        unnest(unmapped_values) as unmapped
    from staging.calls
)

select distinct
    call_key,
    vendor,
    unmapped['field'] as field,
    if(left(unmapped['value'], 1) in ('{', '['), 'no scalar', left(unmapped['value'], 200))
        as value,
    first_loaded_at
from unmapped
