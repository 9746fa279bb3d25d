-- One row per date, billing month, vendor, account, direction, first queue and cost center: additive
-- counts and sums only. A rate is made of two of them: dim_metrics says which. Deleted calls do not count.
-- @key call_date, billing_month, vendor, account, direction, queue_name, cost_center
-- @nullable call_date, billing_month, queue_name, cost_center
-- @not_null vendor, account, direction, calls, outcome_known_calls, answered_calls
-- @not_null abandoned_calls, missed_calls, voicemail_calls, voicemail_known_calls
-- @not_null contained_calls, inbound_known_calls, self_service_calls
-- @not_null transferred_calls, transfer_known_calls, bot_calls, bot_known_calls
-- @not_null bot_contained_calls, bot_transfer_known_calls, settled_calls
-- @not_null queued_calls, queued_known_calls, abandoned_queued_calls
-- @not_null short_abandoned_queued_calls, offered_calls, offered_known_calls
-- @not_null answered_offered_calls, abandoned_offered_calls, short_abandoned_offered_calls
-- @not_null answered_or_abandoned_calls, waited_calls, waited_known_calls
-- @not_null answered_waited_calls, answered_in_time_calls, abandoned_waited_calls
-- @not_null short_abandoned_waited_calls, abandoned_in_time_calls
-- @not_null answered_rung_calls, answered_delay_calls
-- @not_null outbound_known_calls, outbound_answered_calls, outbound_unanswered_calls
-- @not_null timed_calls, talked_calls, talk_wrap_calls
-- @not_null handled_calls, priced_calls, priced_partial_calls, cost_pending_calls, cost_final_calls
-- @not_null cost_provisional_calls, cost_due_calls, costed_calls, costed_partial_calls
-- @not_null costed_answered_calls, costed_seconds, cost_settled_calls
-- @check abandoned_queued_calls <= queued_known_calls and queued_known_calls <= queued_calls
-- @check short_abandoned_queued_calls <= abandoned_queued_calls
-- @check abandoned_offered_calls <= offered_known_calls and offered_known_calls <= offered_calls
-- @check short_abandoned_offered_calls <= abandoned_offered_calls
-- @check answered_in_time_calls <= answered_waited_calls
-- @check answered_waited_calls <= waited_known_calls and waited_known_calls <= waited_calls
-- @check abandoned_in_time_calls <= abandoned_waited_calls
-- @check short_abandoned_waited_calls <= abandoned_waited_calls
-- @check abandoned_waited_calls <= waited_known_calls
-- @check contained_calls <= self_service_calls and self_service_calls <= inbound_known_calls
-- @check bot_contained_calls <= bot_transfer_known_calls and bot_transfer_known_calls <= bot_calls
-- @check cost_final_calls + cost_provisional_calls + cost_pending_calls = cost_due_calls
-- @column call_date: in the reporting time zone; NULL = the start is not known
-- @column billing_month: first day of the UTC month of the start, the month of monthly_account_usage
--     and invoice_reconciliation; a date at the end of a month may have two; NULL = the start is not
--     known
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column direction: as in fact_calls
-- @column queue_name: first queue of the call; daily_queue_calls has all; NULL = none, or not reported
-- @column cost_center: as in fact_calls; NULL = no rule of cost_centers.csv fits
-- @column calls [calls]: calls that were not deleted
-- @column outcome_known_calls [calls]: of them those that are over and whose outcome is known
-- @column answered_calls [calls]: of them answered
-- @column abandoned_calls [calls]: of them abandoned by the caller, wherever in the call
-- @column missed_calls [calls]: inbound calls that nobody took: missed, busy, or not answered.
--     Outbound ones are outbound_unanswered_calls
-- @column voicemail_calls [calls]: of calls those gone to voicemail
-- @column voicemail_known_calls [calls]: of calls those of which that is known
-- @column contained_calls [calls]: of inbound_known_calls those that self service or a bot finished
-- @column inbound_known_calls [calls]: of outcome_known_calls the inbound ones
-- @column self_service_calls [calls]: of inbound_known_calls those known to have been in self service
-- @column transferred_calls [calls]: of calls those transferred
-- @column transfer_known_calls [calls]: of calls those of which that is known
-- @column bot_calls [calls]: of calls those handled by a bot
-- @column bot_known_calls [calls]: of calls those of which that is known
-- @column bot_contained_calls [calls]: of bot_transfer_known_calls those that stayed with the bot
-- @column bot_transfer_known_calls [calls]: of bot_calls those that are over, and of which it is known
--     whether they were passed on
-- @column settled_calls [calls]: of calls those that will not change any more
-- @column queued_calls [calls]: inbound calls that are known to have waited in a queue on the line;
--     callbacks, whose wait is not, are none
-- @column queued_known_calls [calls]: of queued_calls those of which is known whether they were
--     abandoned
-- @column abandoned_queued_calls [calls]: of queued_known_calls abandoned before anybody answered, in
--     the queue or ringing after it
-- @column short_abandoned_queued_calls [calls]: of abandoned_queued_calls the short ones: by the
--     vendor's own word (seeds/short_abandons.csv), else after less than short_abandon_seconds (as
--     configured, 5 by default) in queues and ringing, or of the whole call where neither is reported
-- @column offered_calls [calls]: inbound calls that came as far as asking for somebody: not open,
--     not unknown, not canceled, and not ended in self service
-- @column offered_known_calls [calls]: of offered_calls those of which is known whether they were
--     abandoned
-- @column answered_offered_calls [calls]: of offered_calls answered
-- @column abandoned_offered_calls [calls]: of offered_known_calls abandoned before anybody answered
-- @column short_abandoned_offered_calls [calls]: of abandoned_offered_calls the short ones, as above
-- @column answered_or_abandoned_calls [calls]: of offered_calls answered, or abandoned before
-- @column waited_calls [calls]: of queued_calls those whose wait is known
-- @column waited_known_calls [calls]: of waited_calls those of which is known whether they were answered
-- @column answered_waited_calls [calls]: of waited_calls answered
-- @column answered_in_time_calls [calls]: of answered_waited_calls answered after at most
--     service_level_seconds (as configured, 20 by default) in queues
-- @column abandoned_waited_calls [calls]: of waited_known_calls abandoned before anybody answered
-- @column short_abandoned_waited_calls [calls]: of abandoned_waited_calls the short ones, as above
-- @column abandoned_in_time_calls [calls]: of abandoned_waited_calls abandoned after at most
--     service_level_seconds in queues
-- @column queue_seconds [seconds]: wait of waited_calls; NULL = there are none
-- @column answered_queue_seconds [seconds]: wait of answered_waited_calls; NULL = there are none
-- @column abandoned_queue_seconds [seconds]: wait of abandoned_waited_calls; NULL = there are none
-- @column answered_rung_calls [calls]: inbound answered calls whose ringing is known
-- @column answered_ring_seconds [seconds]: ringing of answered_rung_calls; NULL = there are none
-- @column answered_delay_calls [calls]: inbound answered calls of which is known when they were
--     answered, without callbacks, whose wait is not on the line
-- @column answered_delay_seconds [seconds]: from start to answer of answered_delay_calls; NULL = there
--     are none
-- @column outbound_known_calls [calls]: outbound calls of which is known whether they were answered
-- @column outbound_answered_calls [calls]: of outbound_known_calls answered
-- @column outbound_unanswered_calls [calls]: outbound calls that nobody took: missed, busy, or not
--     answered
-- @column timed_calls [calls]: calls whose time on the line is known: the denominator of total_seconds
-- @column total_seconds [seconds]: line_seconds of timed_calls; NULL = there are none
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
-- @column cost_of_settled [reporting_currency]: what cost_settled_calls cost, 0 of one without a
--     charge; NULL = there are none
select
    call_date,
    billing_month,
    vendor,
    account,
    direction,
    queue_name,
    cost_center,
    sum(calls)::bigint as calls,
    sum(outcome_known_calls)::bigint as outcome_known_calls,
    sum(answered_calls)::bigint as answered_calls,
    sum(abandoned_calls)::bigint as abandoned_calls,
    sum(missed_calls)::bigint as missed_calls,
    sum(voicemail_calls)::bigint as voicemail_calls,
    sum(voicemail_known_calls)::bigint as voicemail_known_calls,
    sum(contained_calls)::bigint as contained_calls,
    sum(inbound_known_calls)::bigint as inbound_known_calls,
    sum(self_service_calls)::bigint as self_service_calls,
    sum(transferred_calls)::bigint as transferred_calls,
    sum(transfer_known_calls)::bigint as transfer_known_calls,
    sum(bot_calls)::bigint as bot_calls,
    sum(bot_known_calls)::bigint as bot_known_calls,
    sum(bot_contained_calls)::bigint as bot_contained_calls,
    sum(bot_transfer_known_calls)::bigint as bot_transfer_known_calls,
    sum(settled_calls)::bigint as settled_calls,
    sum(queued_calls)::bigint as queued_calls,
    sum(queued_known_calls)::bigint as queued_known_calls,
    sum(abandoned_queued_calls)::bigint as abandoned_queued_calls,
    sum(short_abandoned_queued_calls)::bigint as short_abandoned_queued_calls,
    sum(offered_calls)::bigint as offered_calls,
    sum(offered_known_calls)::bigint as offered_known_calls,
    sum(answered_offered_calls)::bigint as answered_offered_calls,
    sum(abandoned_offered_calls)::bigint as abandoned_offered_calls,
    sum(short_abandoned_offered_calls)::bigint as short_abandoned_offered_calls,
    sum(answered_or_abandoned_calls)::bigint as answered_or_abandoned_calls,
    sum(waited_calls)::bigint as waited_calls,
    sum(waited_known_calls)::bigint as waited_known_calls,
    sum(answered_waited_calls)::bigint as answered_waited_calls,
    sum(answered_in_time_calls)::bigint as answered_in_time_calls,
    sum(abandoned_waited_calls)::bigint as abandoned_waited_calls,
    sum(short_abandoned_waited_calls)::bigint as short_abandoned_waited_calls,
    sum(abandoned_in_time_calls)::bigint as abandoned_in_time_calls,
    sum(queue_seconds)::decimal(18, 3) as queue_seconds,
    sum(answered_queue_seconds)::decimal(18, 3) as answered_queue_seconds,
    sum(abandoned_queue_seconds)::decimal(18, 3) as abandoned_queue_seconds,
    sum(answered_rung_calls)::bigint as answered_rung_calls,
    sum(answered_ring_seconds)::decimal(18, 3) as answered_ring_seconds,
    sum(answered_delay_calls)::bigint as answered_delay_calls,
    sum(answered_delay_seconds)::decimal(18, 3) as answered_delay_seconds,
    sum(outbound_known_calls)::bigint as outbound_known_calls,
    sum(outbound_answered_calls)::bigint as outbound_answered_calls,
    sum(outbound_unanswered_calls)::bigint as outbound_unanswered_calls,
    sum(timed_calls)::bigint as timed_calls,
    sum(total_seconds)::decimal(18, 3) as total_seconds,
    sum(talked_calls)::bigint as talked_calls,
    sum(talk_seconds)::decimal(18, 3) as talk_seconds,
    sum(talk_wrap_calls)::bigint as talk_wrap_calls,
    sum(talk_wrap_seconds)::decimal(18, 3) as talk_wrap_seconds,
    sum(handled_calls)::bigint as handled_calls,
    sum(handle_seconds)::decimal(18, 3) as handle_seconds,
    sum(priced_calls)::bigint as priced_calls,
    sum(priced_partial_calls)::bigint as priced_partial_calls,
    sum(cost_final_calls)::bigint as cost_final_calls,
    sum(cost_provisional_calls)::bigint as cost_provisional_calls,
    sum(cost_pending_calls)::bigint as cost_pending_calls,
    sum(cost_due_calls)::bigint as cost_due_calls,
    sum(costed_calls)::bigint as costed_calls,
    sum(costed_partial_calls)::bigint as costed_partial_calls,
    sum(cost_reporting)::decimal(24, 6) as cost_reporting,
    sum(costed_answered_calls)::bigint as costed_answered_calls,
    sum(costed_seconds)::decimal(18, 3) as costed_seconds,
    sum(cost_of_costed_seconds)::decimal(24, 6) as cost_of_costed_seconds,
    sum(cost_partial_reporting)::decimal(24, 6) as cost_partial_reporting,
    sum(cost_settled_calls)::bigint as cost_settled_calls,
    sum(cost_of_settled)::decimal(24, 6) as cost_of_settled
from main.hourly_calls
group by all
