-- One row per date, vendor, account, direction and first queue: additive counts and sums only.
-- @key call_date, vendor, account, direction, queue_name
-- @nullable call_date, queue_name
-- @not_null vendor, account, direction, calls
-- @column call_date: in the reporting time zone
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column direction: as in fact_calls
-- @column queue_name: first queue of the call; NULL = none, or not reported
-- @column calls: calls that were not deleted
-- @column answered_calls: of them answered
-- @column abandoned_calls: of them abandoned by the caller
-- @column missed_calls: of them missed, busy, or not answered
-- @column voicemail_calls: of them gone to voicemail
-- @column transferred_calls: of them transferred
-- @column bot_calls: of them handled by a bot
-- @column settled_calls: of them that will not change any more
-- @column timed_calls: of them whose length is known: the denominator of total_seconds
-- @column total_seconds: sum over timed_calls
-- @column talk_seconds: sum where reported
-- @column queue_seconds: sum where reported
-- @column priced_calls: of them whose cost is known
-- @column cost_pending_calls: of them whose cost may still come
select
    call_date,
    vendor,
    account,
    direction,
    queue_name,
    count(*) as calls,
    count(*) filter (where is_answered) as answered_calls,
    count(*) filter (where is_abandoned) as abandoned_calls,
    count(*) filter (where outcome in ('missed', 'busy', 'no_answer')) as missed_calls,
    count(*) filter (where is_voicemail) as voicemail_calls,
    count(*) filter (where is_transferred) as transferred_calls,
    count(*) filter (where is_bot_handled) as bot_calls,
    count(*) filter (where is_settled) as settled_calls,
    count(total_seconds) as timed_calls,
    sum(total_seconds)::decimal(18, 3) as total_seconds,
    sum(talk_seconds)::decimal(18, 3) as talk_seconds,
    sum(queue_seconds)::decimal(18, 3) as queue_seconds,
    count(cost_total) as priced_calls,
    count(*) filter (where cost_status in ('pending', 'partial')) as cost_pending_calls
from main.fact_calls
where not is_deleted
group by all
