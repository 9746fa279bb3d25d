-- One row per date, vendor, account, direction, first queue and cost center: additive counts and sums only.
-- A rate is made of two of them: dim_metrics says which. Deleted calls do not count.
-- @key call_date, vendor, account, direction, queue_name, cost_center
-- @nullable call_date, queue_name, cost_center
-- @not_null vendor, account, direction, calls, answered_calls, abandoned_calls, missed_calls
-- @not_null voicemail_calls, contained_calls, transferred_calls, bot_calls, settled_calls
-- @not_null queued_calls, abandoned_queued_calls, offered_calls, abandoned_offered_calls
-- @not_null answered_or_abandoned_calls, waited_calls, answered_waited_calls
-- @not_null answered_in_time_calls, timed_calls, talked_calls, talk_wrap_calls
-- @not_null handled_calls, priced_calls, priced_partial_calls, cost_pending_calls, cost_final_calls
-- @not_null cost_provisional_calls, cost_due_calls, costed_calls, costed_partial_calls
-- @not_null costed_answered_calls, costed_seconds, cost_settled_calls
-- @check abandoned_queued_calls <= queued_calls
-- @check abandoned_offered_calls <= offered_calls
-- @check answered_in_time_calls <= answered_waited_calls and answered_waited_calls <= waited_calls
-- @check cost_final_calls + cost_provisional_calls + cost_pending_calls = cost_due_calls
-- @column call_date: in the reporting time zone; NULL = the start is not known
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column direction: as in fact_calls
-- @column queue_name: first queue of the call; NULL = none, or not reported
-- @column cost_center: as in fact_calls; NULL = no rule of cost_centers.csv fits
-- @column calls [calls]: calls that were not deleted
-- @column answered_calls [calls]: of them answered
-- @column abandoned_calls [calls]: of them abandoned by the caller, wherever in the call
-- @column missed_calls [calls]: of them missed, busy, or not answered
-- @column voicemail_calls [calls]: of them gone to voicemail
-- @column contained_calls [calls]: of them that self service finished
-- @column transferred_calls [calls]: of them transferred
-- @column bot_calls [calls]: of them handled by a bot
-- @column settled_calls [calls]: of them that will not change any more
-- @column queued_calls [calls]: inbound calls that are known to have waited in a queue
-- @column abandoned_queued_calls [calls]: of queued_calls abandoned in the queue
-- @column offered_calls [calls]: inbound calls that came as far as asking for somebody: not open,
--     not unknown, not canceled, and not ended in self service
-- @column abandoned_offered_calls [calls]: of offered_calls abandoned before anybody answered
-- @column answered_or_abandoned_calls [calls]: of offered_calls answered, or abandoned before
-- @column waited_calls [calls]: of queued_calls those whose wait is known
-- @column answered_waited_calls [calls]: of waited_calls answered
-- @column answered_in_time_calls [calls]: of answered_waited_calls answered after at most
--     service_level_seconds (as configured, 20 by default) in queues
-- @column timed_calls [calls]: calls whose time on the line is known: the denominator of total_seconds
-- @column total_seconds [seconds]: line_seconds of timed_calls; NULL = there are none
-- @column queue_seconds [seconds]: sum where reported; NULL = nowhere
-- @column talked_calls [calls]: calls whose talk is known: the denominator of talk_seconds
-- @column talk_seconds [seconds]: sum over talked_calls; NULL = there are none
-- @column talk_wrap_calls [calls]: calls whose talk and wrap-up are known
-- @column talk_wrap_seconds [seconds]: talk and wrap-up of talk_wrap_calls; NULL = there are none
-- @column handled_calls [calls]: calls whose handle time is known
-- @column handle_seconds [seconds]: handle time of handled_calls; NULL = there are none
-- @column priced_calls [calls]: calls whose whole cost is known, in any currency
-- @column priced_partial_calls [calls]: calls of whose cost a part is known, in any currency
-- @column cost_final_calls [calls]: calls whose cost will not change any more
-- @column cost_provisional_calls [calls]: calls whose cost is provisional, as in fact_calls
-- @column cost_pending_calls [calls]: calls whose cost, or a part of it, is still to come
-- @column cost_due_calls [calls]: all three: calls that cost something, or will
-- @column costed_calls [calls]: calls whose whole cost is known in the reporting currency
-- @column costed_partial_calls [calls]: calls of whose cost a part is known in the reporting currency
-- @column cost_reporting [reporting_currency]: what costed_calls cost; NULL = there are none
-- @column costed_answered_calls [calls]: of costed_calls answered
-- @column costed_seconds [seconds]: line_seconds of the costed_calls that have it
-- @column cost_of_costed_seconds [reporting_currency]: what those cost; NULL = there are none
-- @column cost_partial_reporting [reporting_currency]: what costed_partial_calls cost so far; NULL =
--     there are none
-- @column cost_settled_calls [calls]: settled calls whose cost is known in the reporting currency; and
--     those without one, where free_without_charge says that they were free
-- @column cost_of_settled [reporting_currency]: what cost_settled_calls cost; NULL = none has a cost
with calls as (
    select
        -- The hours until a callback are on nobody's line.
        facts.* replace (facts.line_seconds as total_seconds),
        run.service_level_seconds,
        facts.direction = 'inbound'
        and (
            facts.outcome_stage = 'queue'
            or coalesce(facts.queue_count > 0, false)
            or coalesce(facts.queue_seconds > 0, false)
            or facts.queue_name is not null
        ) as is_queued,
        facts.direction = 'inbound'
        and facts.outcome_stage not in ('ivr', 'callback')
        and facts.outcome not in ('in_progress', 'unknown', 'canceled') as is_offered,
        facts.is_abandoned and facts.outcome_stage != 'hold' as is_given_up,
        facts.cost_status not in ('pending', 'partial') as is_whole,
        facts.is_settled
        and (
            facts.cost_reporting is not null
            or (facts.cost_total is null and coalesce(accounts.free_without_charge, false))
        ) as is_cost_settled,
        facts.talk_seconds + facts.wrap_seconds as talk_wrap,
        facts.handle_seconds as handle
    from main.fact_calls as facts
    left join config.accounts as accounts
        on facts.vendor = accounts.vendor and facts.account = accounts.account
    cross join config.run as run
    where not facts.is_deleted
)

select
    call_date,
    vendor,
    account,
    direction,
    queue_name,
    cost_center,
    count(*) as calls,
    count(*) filter (where is_answered) as answered_calls,
    count(*) filter (where is_abandoned) as abandoned_calls,
    count(*) filter (where outcome in ('missed', 'busy', 'no_answer')) as missed_calls,
    count(*) filter (where is_voicemail) as voicemail_calls,
    count(*) filter (where outcome = 'contained') as contained_calls,
    count(*) filter (where is_transferred) as transferred_calls,
    count(*) filter (where is_bot_handled) as bot_calls,
    count(*) filter (where is_settled) as settled_calls,
    count(*) filter (where is_queued) as queued_calls,
    count(*) filter (where is_queued and is_abandoned and outcome_stage = 'queue')
        as abandoned_queued_calls,
    count(*) filter (where is_offered) as offered_calls,
    count(*) filter (where is_offered and is_given_up) as abandoned_offered_calls,
    count(*) filter (where is_offered and (is_answered or is_given_up))
        as answered_or_abandoned_calls,
    count(*) filter (where is_queued and queue_seconds is not null) as waited_calls,
    count(*) filter (where is_queued and queue_seconds is not null and is_answered)
        as answered_waited_calls,
    count(*) filter (
        where is_queued and is_answered and queue_seconds <= service_level_seconds
    ) as answered_in_time_calls,
    count(total_seconds) as timed_calls,
    sum(total_seconds)::decimal(18, 3) as total_seconds,
    sum(queue_seconds)::decimal(18, 3) as queue_seconds,
    count(talk_seconds) as talked_calls,
    sum(talk_seconds)::decimal(18, 3) as talk_seconds,
    count(talk_wrap) as talk_wrap_calls,
    sum(talk_wrap)::decimal(18, 3) as talk_wrap_seconds,
    count(handle) as handled_calls,
    sum(handle)::decimal(18, 3) as handle_seconds,
    count(cost_total) filter (where is_whole) as priced_calls,
    count(cost_total) filter (where not is_whole) as priced_partial_calls,
    count(*) filter (where cost_status = 'final') as cost_final_calls,
    count(*) filter (where cost_status = 'provisional') as cost_provisional_calls,
    count(*) filter (where cost_status in ('pending', 'partial')) as cost_pending_calls,
    count(*) filter (where cost_status != 'none') as cost_due_calls,
    count(cost_reporting) filter (where is_whole) as costed_calls,
    count(cost_reporting) filter (where not is_whole) as costed_partial_calls,
    sum(cost_reporting) filter (where is_whole)::decimal(24, 6) as cost_reporting,
    count(*) filter (where is_whole and cost_reporting is not null and is_answered)
        as costed_answered_calls,
    coalesce(
        sum(total_seconds) filter (where is_whole and cost_reporting is not null), 0
    )::decimal(18, 3) as costed_seconds,
    sum(cost_reporting) filter (where is_whole and total_seconds is not null)::decimal(24, 6)
        as cost_of_costed_seconds,
    sum(cost_reporting) filter (where not is_whole)::decimal(24, 6) as cost_partial_reporting,
    count(*) filter (where is_cost_settled) as cost_settled_calls,
    sum(cost_reporting) filter (where is_cost_settled)::decimal(24, 6) as cost_of_settled
from calls
group by all
