-- One row per leg, attempt or stage of a call. Legs overlap: never summed into the call.
-- @key call_key, leg_no
-- @not_null role
-- @accepted role: customer, agent, bot, ivr, transfer, conference, other
-- @column call_key: the call
-- @column leg_no: number of the leg within the call, the same on every re-read
-- @column role: whose leg it is
-- @column direction: inbound or outbound, seen from the business
-- @column from_party: as the vendor writes it
-- @column to_party: as the vendor writes it
-- @column party_name: name of the party, where the vendor says it
-- @column started_at: UTC
-- @column ended_at: UTC
-- @column total_seconds: length of the leg
-- @column is_successful: whether it was connected
-- @column vendor_result: the vendor's word
-- @column end_code: the vendor's or the protocol's code, such as 486
-- @column cost: what the leg cost, where the vendor prices legs
-- @column currency: ISO 4217 of cost
select
    vendor || ':' || account || ':' || vendor_call_id as call_key,
    leg_no,
    role,
    direction,
    from_party,
    to_party,
    party_name,
    started_at,
    ended_at,
    total_seconds,
    is_successful,
    vendor_result,
    end_code,
    cost,
    case when cost is not null then currency end as currency
from staging.legs
