-- One row per call and value of a field that only its vendor has, by the vendor's own name. A
-- field with a list of values has a row for each.
-- @key call_key, attribute, item_no
-- @not_null value
-- @personal anyone: value
-- @column call_key: the call
-- @column attribute: the vendor's field, with the path to it
-- @column item_no: 1, or the place of the value in a list
-- @column value [may be a number]: as the vendor writes it
select
    vendor || ':' || account || ':' || vendor_call_id as call_key,
    attribute,
    item_no,
    value
from staging.attributes
where value is not null
