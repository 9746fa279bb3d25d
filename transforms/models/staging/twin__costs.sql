-- One row per billed TWIN call and priced stage, and per part of what its AI cost.
-- The AI total is no leaf: its parts are, and what they leave of it. Cost and discount
-- are kept as sent: whether they are amounts is not documented.
-- @key account, vendor_call_id, line_no
-- @not_null component, amount, currency, is_leaf
-- @accepted component: telephony, bot, transfer, ai_platform, ai_llm, ai_tts, ai_stt
with billed as (
    select
        account,
        record_id as vendor_call_id,
        record,
        coalesce(
            try_cast(record['billedAt'] || 'Z' as timestamptz),
            try_cast(record['billedAt'] as timestamptz)
        ) as billed_at,
        try_cast(record['aiCallTotalCost'] as decimal(18, 6)) as ai_total,
        try_cast(record['aiCallLlmTotalCost'] as decimal(18, 6)) as ai_llm,
        try_cast(record['aiCallTtsTotalCost'] as decimal(18, 6)) as ai_tts,
        try_cast(record['aiCallSttTotalCost'] as decimal(18, 6)) as ai_stt
    from staging.twin__sessions
    where record['billedAt'] != ''
),

rests as (
    select
        *,
        coalesce(ai_llm, ai_tts, ai_stt) is not null as has_ai_parts,
        ai_total - coalesce(ai_llm, 0) - coalesce(ai_tts, 0) - coalesce(ai_stt, 0) as ai_rest
    from billed
),

lines as (
    select
        account,
        vendor_call_id,
        billed_at,
        unnest([1, 2, 3, 4, 5, 6, 7, 8, 9]) as line_no,
        unnest([
            'telephony', 'telephony', 'bot', 'transfer', 'ai_platform',
            'ai_llm', 'ai_tts', 'ai_stt', 'ai_platform'
        ]) as component,
        unnest([
            'mainCall', 'autoCall', 'robotCall', 'transferCall', 'aiCall',
            'aiCallLlm', 'aiCallTts', 'aiCallStt', 'aiCall rest'
        ]) as vendor_component,
        unnest([
            try_cast(record['mainCallTotalCost'] as decimal(18, 6)),
            try_cast(record['autoCallTotalCost'] as decimal(18, 6)),
            try_cast(record['robotCallTotalCost'] as decimal(18, 6)),
            try_cast(record['transferCallTotalCost'] as decimal(18, 6)),
            ai_total,
            ai_llm,
            ai_tts,
            ai_stt,
            case when ai_rest != 0 or not has_ai_parts then ai_rest end
        ])::decimal(18, 6) as amount,
        unnest([
            record['mainCallCost'],
            record['autoCallCost'],
            record['robotCallCost'],
            record['transferCallCost'],
            record['aiCallCost'],
            null,
            null,
            null,
            null
        ]) as list_amount,
        unnest([
            record['mainCallDiscount'],
            record['autoCallDiscount'],
            record['robotCallDiscount'],
            record['transferCallDiscount'],
            null,
            null,
            null,
            null,
            null
        ]) as discount_amount
    from rests
)

select
    lines.account,
    lines.vendor_call_id,
    lines.line_no,
    lines.component,
    lines.vendor_component,
    lines.amount,
    try_cast(lines.list_amount as decimal(18, 6)) as list_amount,
    try_cast(lines.discount_amount as decimal(18, 6)) as discount_amount,
    coalesce(accounts.currency, 'RUB') as currency,
    'reported' as source,
    lines.line_no != 5 as is_leaf,
    lines.billed_at
from lines
left join config.accounts as accounts
    on accounts.vendor = 'twin' and lines.account = accounts.account
where lines.amount is not null
