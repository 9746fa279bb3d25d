-- One row per call that ended, that its vendor's price list should cover, and that has no cost by
-- it; and why. A rate card may price it all the same.
-- @kind incremental call_key
-- @key call_key
-- @not_null vendor, reason
-- @accepted reason: own_carrier, no_price_list, no_price, no_length, no_direction
-- @column call_key: the call
-- @column vendor: as in fact_calls
-- @column reason: own_carrier: the account pays its carrier itself; no_price_list: none was read for
--     it; no_price: the list has no price for such a call, or one that cannot be read; no_length: the
--     vendor does not say when it ended; no_direction: the vendor does not say which
select
    vendor || ':' || account || ':' || vendor_call_id as call_key,
    vendor,
    reason
from staging.unrated
