-- One row per billed TWIN call and priced stage, and per part of what its AI cost.
-- The AI total is no leaf: its parts are, and what they leave of it. Cost and discount
-- are kept as sent: whether they are amounts is not documented.
-- @key account, vendor_call_id, line_no
-- @not_null component, amount, currency, is_leaf
-- @accepted component: telephony, bot, transfer, ai_platform, ai_llm, ai_tts, ai_stt
with lines as (
    select
        account,
        record_id as vendor_call_id,
        billed_at,
        [
            [
                'mainCall', 'telephony', record['mainCallTotalCost'],
                record['mainCallCost'], record['mainCallDiscount']
            ],
            [
                'autoCall', 'telephony', record['autoCallTotalCost'],
                record['autoCallCost'], record['autoCallDiscount']
            ],
            [
                'robotCall', 'bot', record['robotCallTotalCost'],
                record['robotCallCost'], record['robotCallDiscount']
            ],
            [
                'transferCall', 'transfer', record['transferCallTotalCost'],
                record['transferCallCost'], record['transferCallDiscount']
            ],
            ['aiCall', 'ai_platform', record['aiCallTotalCost'], record['aiCallCost']],
            ['aiCallLlm', 'ai_llm', record['aiCallLlmTotalCost']],
            ['aiCallTts', 'ai_tts', record['aiCallTtsTotalCost']],
            ['aiCallStt', 'ai_stt', record['aiCallSttTotalCost']]
        ] as sent,
        generate_subscripts(sent, 1)::integer as line_no,
        unnest(sent) as line
    from staging.twin__sessions
    where is_billed
),

priced as (
    select
        * exclude (sent, line),
        line[1] as vendor_component,
        line[2] as component,
        list_transform(
            line[3:],
            lambda x: case
                -- What is too small for a millionth is not nothing.
                when try_cast(x as decimal(15, 6)) != 0 or try_cast(x as double) = 0
                    then try_cast(x as decimal(15, 6))::decimal(18, 6)
            end
        ) as amounts,
        amounts[1] as amount,
        amounts[2] as list_amount,
        amounts[3] as discount_amount
    from lines
    where amount is not null
),

rests as (
    select
        account,
        vendor_call_id,
        billed_at,
        sum(if(line_no = 5, amount, -amount))::decimal(18, 6) as amount
    from priced
    where line_no >= 5
    group by all
    having bool_or(line_no = 5) and (amount != 0 or count(*) = 1)
),

united as (
    select * exclude (amounts) from priced
    union all by name
    select
        *,
        9 as line_no,
        'ai_platform' as component,
        'aiCall rest' as vendor_component
    from rests
)

select
    united.account,
    united.vendor_call_id,
    united.line_no,
    united.component,
    united.vendor_component,
    united.amount,
    united.list_amount,
    united.discount_amount,
    coalesce(accounts.currency, 'RUB') as currency,
    'reported' as source,
    united.line_no != 5 as is_leaf,
    united.billed_at
from united
left join config.accounts as accounts
    on accounts.vendor = 'twin' and united.account = accounts.account
