-- One row per billed TWIN call and priced stage, and per part of what its AI cost.
-- The AI total is not a leaf: its parts are, and what they leave of it. Cost and discount
-- are kept as sent: whether they are amounts is not documented.
-- @key account, vendor_call_id, line_no
-- @not_null component, amount, currency, is_leaf
-- @accepted component: telephony, bot, transfer, ai_platform, ai_llm, ai_tts, ai_stt
-- @column line_no: main 1, auto 2, robot 3, transfer 4, AI 5, its parts 6 to 8, what they leave of
--     it 9
-- @column component: by the stage: telephony, bot, transfer, ai_platform, ai_llm, ai_tts, ai_stt
-- @column vendor_component: the stage's name in the fields, such as mainCall
-- @column amount: <stage>TotalCost, once billed; for the rest of AI, aiCallTotalCost minus its
--     parts
-- @column list_amount: <stage>Cost
-- @column discount_amount: <stage>Discount
-- @column currency: the configured currency, else RUB: the vendor sends none
-- @column source: reported
-- @column is_leaf: all but the total of AI, whose parts stand beside it
-- @column billed_at: billedAt
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
