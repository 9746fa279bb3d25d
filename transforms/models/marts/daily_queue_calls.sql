-- One row per date, vendor, account and queue: the inbound calls that came to the queue, additive counts and
-- sums only. A call that passed several queues counts in each; daily_calls has it once, at the
-- first. What became of a call counts at the last queue it came to, for there it was decided; its wait
-- counts only where it passed one queue, for the vendors give the wait of a call and not of each queue.
-- A queue that a call came back to counts where it came first. Deleted calls do not count.
-- @key call_date, vendor, account, queue_key
-- @nullable call_date
-- @not_null vendor, account, calls, first_calls, last_calls, outcome_known_calls
-- @not_null answered_calls, abandoned_known_calls, abandoned_calls, short_abandoned_calls, voicemail_calls
-- @not_null overflowed_calls, waited_calls, waited_known_calls
-- @not_null answered_waited_calls, answered_in_time_calls, abandoned_waited_calls
-- @not_null abandoned_in_time_calls
-- @check first_calls <= calls and last_calls <= calls
-- @check outcome_known_calls <= last_calls
-- @check short_abandoned_calls <= abandoned_calls
-- @check abandoned_calls <= abandoned_known_calls and abandoned_known_calls <= last_calls
-- @check answered_in_time_calls <= answered_waited_calls
-- @check answered_waited_calls <= waited_known_calls and waited_known_calls <= waited_calls
-- @check abandoned_in_time_calls <= abandoned_waited_calls
-- @check abandoned_waited_calls <= waited_known_calls
-- @column call_date: as in daily_calls; NULL = the start is not known
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column queue_key: as in dim_queues
-- @column queue_name: as the latest call of the row names it; NULL = none does
-- @column calls [calls]: inbound calls that came to the queue
-- @column first_calls [calls]: of calls those that came to no queue before
-- @column last_calls [calls]: of calls those that came to no queue after it; the others went on to another
-- @column outcome_known_calls [calls]: of last_calls those that are over and whose outcome is known
-- @column answered_calls [calls]: of outcome_known_calls answered
-- @column abandoned_known_calls [calls]: of last_calls those of which is known whether they were
--     abandoned
-- @column abandoned_calls [calls]: of abandoned_known_calls abandoned before anybody answered
-- @column short_abandoned_calls [calls]: of abandoned_calls the short ones, as in daily_calls
-- @column voicemail_calls [calls]: of outcome_known_calls gone to voicemail
-- @column overflowed_calls [calls]: of outcome_known_calls overflowed
-- @column waited_calls [calls]: of calls those that passed no other queue, and whose wait is known
-- @column waited_known_calls [calls]: of waited_calls those of which is known whether they were answered
-- @column queue_seconds [seconds]: wait of waited_calls; NULL = there are none
-- @column answered_waited_calls [calls]: of waited_calls answered
-- @column answered_queue_seconds [seconds]: wait of answered_waited_calls; NULL = there are none
-- @column answered_in_time_calls [calls]: of answered_waited_calls answered after at most
--     service_level_seconds
-- @column abandoned_waited_calls [calls]: of waited_known_calls abandoned before anybody answered
-- @column abandoned_queue_seconds [seconds]: wait of abandoned_waited_calls; NULL = there are none
-- @column abandoned_in_time_calls [calls]: of abandoned_waited_calls abandoned after at most
--     service_level_seconds
with passages as (
    select
        facts.*,
        queues.queue_key,
        queues.queue_name as passed_queue,
        queues.seq = 1 as is_first,
        -- By the day as well, so that a build reads its own days alone.
        queues.seq = max(queues.seq) over (
            partition by facts.call_date, queues.call_key
        ) as is_last
    from main.bridge_call_queues as queues
    inner join main.fact_calls as facts on queues.call_key = facts.call_key
    where facts.direction = 'inbound' and not facts.is_deleted
),

calls as (
    select
        passages.*,
        run.service_level_seconds,
        passages.is_last and passages.outcome not in ('in_progress', 'unknown')
            as is_known,
        is_known and passages.is_abandoned
        and passages.outcome_stage not in ('hold', 'ivr', 'callback') as is_given_up,
        coalesce(
            short_abandons.is_short,
            coalesce(
                passages.queue_seconds + passages.ring_seconds,
                passages.queue_seconds,
                passages.ring_seconds,
                passages.total_seconds
            ) < run.short_abandon_seconds
        ) as is_short,
        case when passages.is_first and passages.is_last then passages.queue_seconds end as wait
    from passages
    left join seeds.short_abandons as short_abandons
        on
            passages.vendor = short_abandons.vendor
            and passages.vendor_outcome = short_abandons.vendor_outcome
    cross join config.run as run
)

select
    call_date,
    vendor,
    account,
    queue_key,
    arg_max(passed_queue, (started_at, call_key)) filter (where passed_queue is not null)
        as queue_name,
    count(*) as calls,
    count(*) filter (where is_first) as first_calls,
    count(*) filter (where is_last) as last_calls,
    count(*) filter (where is_known) as outcome_known_calls,
    count(*) filter (where is_known and is_answered) as answered_calls,
    count(*) filter (where is_last and is_abandoned is not null) as abandoned_known_calls,
    count(*) filter (where is_given_up) as abandoned_calls,
    count(*) filter (where is_given_up and is_short) as short_abandoned_calls,
    count(*) filter (where is_known and is_voicemail) as voicemail_calls,
    count(*) filter (where is_known and outcome = 'overflowed') as overflowed_calls,
    count(wait) as waited_calls,
    count(wait) filter (where is_answered is not null) as waited_known_calls,
    sum(wait)::decimal(18, 3) as queue_seconds,
    count(wait) filter (where is_answered) as answered_waited_calls,
    sum(wait) filter (where is_answered)::decimal(18, 3) as answered_queue_seconds,
    count(*) filter (where is_answered and wait <= service_level_seconds)
        as answered_in_time_calls,
    count(wait) filter (where is_given_up) as abandoned_waited_calls,
    sum(wait) filter (where is_given_up)::decimal(18, 3)
        as abandoned_queue_seconds,
    count(*) filter (where is_given_up and wait <= service_level_seconds)
        as abandoned_in_time_calls
from calls
group by all
