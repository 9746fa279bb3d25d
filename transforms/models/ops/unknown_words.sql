-- One row per call and vendor word that no mapping knows, or value that did not fit its type.
-- @kind incremental call_key
-- @key call_key, field, value
-- @not_null vendor, first_loaded_at
-- @column call_key: the call
-- @column vendor: as in fact_calls
-- @column field: of the vendor's record
-- @column value: its word, or value, at most 200 characters
-- @column first_loaded_at: when the call was first read, UTC
with words as (
    select
        vendor || ':' || account || ':' || vendor_call_id as call_key,
        vendor,
        first_loaded_at,
        unnest(unknown_values) as word
    from staging.calls
)

select distinct
    call_key,
    vendor,
    word['field'] as field,
    -- Enough to know it by; a value may be as long as a page.
    left(word['value'], 200) as value,
    first_loaded_at
from words
