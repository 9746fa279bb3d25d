-- One row per call with a leaf line: the sums of them, by component.
-- @key vendor, account, vendor_call_id
select
    vendor,
    account,
    vendor_call_id,
    sum(amount) as total,
    sum(amount) filter (where component = 'telephony') as telephony,
    sum(amount) filter (where component = 'transfer') as transfer,
    sum(amount) filter (where component = 'bot') as bot,
    sum(amount) filter (where component like 'ai\_%' escape '\') as ai,
    sum(amount) filter (where component = 'recording') as recording,
    sum(amount) filter (where component = 'transcription') as transcription,
    sum(amount) filter (where component = 'other') as other,
    bool_or(source = 'rated') as is_rated,
    bool_or(has_rate_card) as has_rate_card,
    bool_or(has_allowance) as has_allowance,
    max(currency) filter (where has_rate_card) as card_currency,
    try_cast(
        max(case unit when 'minute' then quantity * 60 when 'second' then quantity end)
        filter (where source = 'rated') as decimal(12, 3)
    ) as rated_seconds
from intermediate.call_cost_lines
where is_leaf
group by all
