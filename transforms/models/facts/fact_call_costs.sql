-- One row per call and component line. Only leaf lines are ever summed.
-- @key call_key, line_no
-- @not_null component, source, is_leaf
-- @accepted component: telephony, transfer, bot, ai_llm, ai_tts, ai_stt, ai_platform, recording,
--     transcription, other
-- @accepted source: reported, rated
-- @check amount is null or currency is not null
-- @column call_key: the call
-- @column line_no: number of the line within the call, the same on every re-read
-- @column component: what was paid for, in our words
-- @column vendor_component: the vendor's word for it; NULL = it has none
-- @column amount [currency]: what it cost; NULL = not billed, or in no known currency
-- @column list_amount [currency]: before discount; of a rated line, without the allowance; NULL =
--     not reported
-- @column discount_amount [currency]: the discount; of a rated line, what the allowance saved; NULL
--     = not reported
-- @column currency: ISO 4217 of the amounts and of unit_price; NULL = neither
-- @column quantity [unit]: what was consumed; NULL = not reported
-- @column unit: minute, second, character, request, ...; NULL = the vendor names none
-- @column unit_price [currency per unit]: price of one unit; NULL = not reported
-- @column source: reported by the vendor, or rated from a rate card or price list
-- @column is_leaf: false for a line whose parts, or whose double, stand beside it, and for a
--     vendor's line that a rate card overrides: only leaf lines are ever summed
-- @column billed_at: when the vendor billed it, UTC; NULL = not reported
-- @column vendor_transaction_id: the vendor's own number of the charge; NULL = not reported
-- @column leg_no: the leg that it was paid for, in fact_call_legs; NULL = none is named, or one that
--     the record does not have
select
    vendor || ':' || account || ':' || vendor_call_id as call_key,
    line_no,
    component,
    vendor_component,
    amount,
    list_amount,
    discount_amount,
    currency,
    quantity,
    unit,
    unit_price,
    source,
    is_leaf,
    billed_at,
    vendor_transaction_id,
    leg_no
from intermediate.call_cost_lines
