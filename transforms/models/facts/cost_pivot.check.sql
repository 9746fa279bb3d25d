-- A call's cost columns are the pivot of its leaf lines, and with the unallocated rest they are its
-- total.
with lines as (
    select
        call_key,
        sum(amount) as total,
        sum(amount) filter (where component = 'telephony') as telephony,
        sum(amount) filter (where component = 'transfer') as transfer,
        sum(amount) filter (where component = 'bot') as bot,
        sum(amount) filter (where starts_with(component, 'ai_')) as ai,
        sum(amount) filter (where component = 'recording') as recording,
        sum(amount) filter (where component = 'transcription') as transcription,
        sum(amount) filter (where component = 'other') as other
    from main.fact_call_costs
    where is_leaf
    group by call_key
)

select
    calls.call_key,
    calls.cost_total,
    calls.cost_unallocated,
    lines.total as lines_total
from main.fact_calls as calls
left join lines on calls.call_key = lines.call_key
where
    calls.cost_telephony is distinct from lines.telephony
    or calls.cost_transfer is distinct from lines.transfer
    or calls.cost_bot is distinct from lines.bot
    or calls.cost_ai is distinct from lines.ai
    or calls.cost_recording is distinct from lines.recording
    or calls.cost_transcription is distinct from lines.transcription
    or calls.cost_other is distinct from lines.other
    or calls.cost_unallocated
    is distinct from calls.cost_total - coalesce(lines.total, 0)
