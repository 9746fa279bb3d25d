-- One row per call and level of who pays for it: level 1 is the nearest to the call, as in
-- fact_calls, each further level is whom that one belongs to.
-- @key call_key, level
-- @not_null payer_kind
-- @personal anyone: payer_id, payer_name
-- @column call_key: the call
-- @column level: 1 for the nearest to the call; a level that the vendor leaves out is not there
-- @column payer_kind: what it is, in the vendor's word: customer, company, application, queue, ...
-- @column payer_id [may be a number]: the vendor's identifier, as text; NULL = only a name is given
-- @column payer_name [may be a number]: as the vendor wrote it at this call; NULL = not given
select
    vendor || ':' || account || ':' || vendor_call_id as call_key,
    level,
    payer_kind,
    payer_id,
    payer_name
from staging.payers
