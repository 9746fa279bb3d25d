-- One row per leg, attempt or stage of a call. Legs overlap: never summed into the call.
-- @key call_key, leg_no
-- @not_null role
-- @accepted role: customer, agent, bot, ivr, transfer, conference, other
-- @personal customer: from_party, to_party
-- @personal anyone: party_name, vendor_result
-- @column call_key: the call
-- @column leg_no: number of the leg within the call, the same on every re-read
-- @column role: whose leg it is
-- @column direction: inbound or outbound, seen from the business; NULL = not reported
-- @column from_party [phone number]: as the vendor writes it; NULL = not reported, or erased
-- @column to_party [phone number]: as the vendor writes it; NULL = not reported, or erased
-- @column party_name [may be a number]: name of the party; NULL = not reported, or erased
-- @column started_at: UTC; NULL = not reported
-- @column ended_at: UTC; NULL = not ended, or not reported
-- @column total_seconds [seconds]: length of the leg; NULL = not reported
-- @column is_successful: whether it was connected; NULL = not reported
-- @column vendor_result [may be a number]: the vendor's word; NULL = none was sent
-- @column end_code: the vendor's or the protocol's code, such as 486; NULL = not reported
-- @column cost [currency]: what the leg cost; NULL = not priced by leg, or not yet
-- @column currency: ISO 4217 of cost; NULL = cost is
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
