-- One row per hour of the day, and otherwise as in daily_calls, which adds these rows up: every metric of
-- daily_calls can be asked of these columns, too. The hour is that of the start, in the reporting time
-- zone; where its clock goes back an hour, one hour has the calls of two.
-- @kind incremental call_date
-- @key call_date, call_hour, billing_month, vendor, account, direction, queue_name, cost_center
-- @nullable call_date, call_hour, billing_month, queue_name, cost_center
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
-- @column call_date: as in daily_calls; NULL = the start is not known
-- @column call_hour: 0 to 23; NULL = the start is not known
-- @column billing_month: as in daily_calls; NULL = the start is not known
-- @column vendor: as in daily_calls
-- @column account: as in daily_calls
-- @column direction: as in daily_calls
-- @column queue_name: as in daily_calls; NULL = none, or not reported
-- @column cost_center: as in daily_calls; NULL = no rule of cost_centers.csv fits
-- @column calls [calls]: as in daily_calls
-- @column outcome_known_calls [calls]: as in daily_calls
-- @column answered_calls [calls]: as in daily_calls
-- @column abandoned_calls [calls]: as in daily_calls
-- @column missed_calls [calls]: as in daily_calls
-- @column voicemail_calls [calls]: as in daily_calls
-- @column voicemail_known_calls [calls]: as in daily_calls
-- @column contained_calls [calls]: as in daily_calls
-- @column inbound_known_calls [calls]: as in daily_calls
-- @column self_service_calls [calls]: as in daily_calls
-- @column transferred_calls [calls]: as in daily_calls
-- @column transfer_known_calls [calls]: as in daily_calls
-- @column bot_calls [calls]: as in daily_calls
-- @column bot_known_calls [calls]: as in daily_calls
-- @column bot_contained_calls [calls]: as in daily_calls
-- @column bot_transfer_known_calls [calls]: as in daily_calls
-- @column settled_calls [calls]: as in daily_calls
-- @column queued_calls [calls]: as in daily_calls
-- @column queued_known_calls [calls]: as in daily_calls
-- @column abandoned_queued_calls [calls]: as in daily_calls
-- @column short_abandoned_queued_calls [calls]: as in daily_calls
-- @column offered_calls [calls]: as in daily_calls
-- @column offered_known_calls [calls]: as in daily_calls
-- @column answered_offered_calls [calls]: as in daily_calls
-- @column abandoned_offered_calls [calls]: as in daily_calls
-- @column short_abandoned_offered_calls [calls]: as in daily_calls
-- @column answered_or_abandoned_calls [calls]: as in daily_calls
-- @column waited_calls [calls]: as in daily_calls
-- @column waited_known_calls [calls]: as in daily_calls
-- @column answered_waited_calls [calls]: as in daily_calls
-- @column answered_in_time_calls [calls]: as in daily_calls
-- @column abandoned_waited_calls [calls]: as in daily_calls
-- @column short_abandoned_waited_calls [calls]: as in daily_calls
-- @column abandoned_in_time_calls [calls]: as in daily_calls
-- @column queue_seconds [seconds]: as in daily_calls; NULL = there are none
-- @column answered_queue_seconds [seconds]: as in daily_calls; NULL = there are none
-- @column abandoned_queue_seconds [seconds]: as in daily_calls; NULL = there are none
-- @column answered_rung_calls [calls]: as in daily_calls
-- @column answered_ring_seconds [seconds]: as in daily_calls; NULL = there are none
-- @column answered_delay_calls [calls]: as in daily_calls
-- @column answered_delay_seconds [seconds]: as in daily_calls; NULL = there are none
-- @column outbound_known_calls [calls]: as in daily_calls
-- @column outbound_answered_calls [calls]: as in daily_calls
-- @column outbound_unanswered_calls [calls]: as in daily_calls
-- @column timed_calls [calls]: as in daily_calls
-- @column total_seconds [seconds]: as in daily_calls; NULL = there are none
-- @column talked_calls [calls]: as in daily_calls
-- @column talk_seconds [seconds]: as in daily_calls; NULL = there are none
-- @column talk_wrap_calls [calls]: as in daily_calls
-- @column talk_wrap_seconds [seconds]: as in daily_calls; NULL = there are none
-- @column handled_calls [calls]: as in daily_calls
-- @column handle_seconds [seconds]: as in daily_calls; NULL = there are none
-- @column priced_calls [calls]: as in daily_calls
-- @column priced_partial_calls [calls]: as in daily_calls
-- @column cost_final_calls [calls]: as in daily_calls
-- @column cost_provisional_calls [calls]: as in daily_calls
-- @column cost_pending_calls [calls]: as in daily_calls
-- @column cost_due_calls [calls]: as in daily_calls
-- @column costed_calls [calls]: as in daily_calls
-- @column costed_partial_calls [calls]: as in daily_calls
-- @column cost_reporting [reporting_currency]: as in daily_calls; NULL = there are none
-- @column costed_answered_calls [calls]: as in daily_calls
-- @column costed_seconds [seconds]: as in daily_calls
-- @column cost_of_costed_seconds [reporting_currency]: as in daily_calls; NULL = there are none
-- @column cost_partial_reporting [reporting_currency]: as in daily_calls; NULL = there are none
-- @column cost_settled_calls [calls]: as in daily_calls
-- @column cost_of_settled [reporting_currency]: as in daily_calls; NULL = there are none
with calls as (
    select
        facts.*,
        run.service_level_seconds,
        date_trunc('month', facts.started_at at time zone 'UTC')::date as billing_month,
        facts.outcome not in ('in_progress', 'unknown') as is_known,
        facts.outcome in ('missed', 'busy', 'no_answer') as is_unanswered,
        facts.direction = 'inbound' as is_inbound,
        facts.direction = 'outbound' as is_outbound,
        is_inbound
        and (
            facts.outcome_stage = 'queue'
            or facts.queue_count > 0
            or facts.queue_seconds > 0
            or facts.queue_name is not null
        )
        and facts.call_type != 'callback' as is_queued,
        is_inbound and is_known and facts.outcome_stage not in ('ivr', 'callback')
        and facts.outcome != 'canceled' as is_offered,
        facts.is_abandoned and facts.outcome_stage != 'hold' as is_given_up,
        coalesce(
            short_abandons.is_short,
            coalesce(
                facts.queue_seconds + facts.ring_seconds,
                facts.queue_seconds,
                facts.ring_seconds,
                facts.total_seconds
            ) < run.short_abandon_seconds
        ) as is_short,
        is_inbound and is_known and (facts.is_self_service or facts.is_contained)
            as is_in_self_service,
        facts.is_bot_handled and is_known and facts.is_transferred is not null
            as is_bot_transfer_known,
        case when is_queued then facts.queue_seconds end as wait,
        case when is_inbound and facts.is_answered then facts.ring_seconds end as answered_ring,
        case
            when is_inbound and facts.is_answered and facts.call_type != 'callback'
                then
                    (epoch_us(facts.answered_at) - epoch_us(facts.started_at)) * 0.000001
                    ::decimal(7, 6)
        end as answered_delay,
        facts.cost_status not in ('pending', 'partial') as is_whole,
        facts.is_settled
        and (
            facts.cost_reporting is not null
            or (facts.cost_total is null and coalesce(accounts.free_without_charge, false))
        ) as is_cost_settled,
        facts.talk_seconds + facts.wrap_seconds as talk_wrap
    from main.fact_calls as facts
    left join config.accounts as accounts
        on facts.vendor = accounts.vendor and facts.account = accounts.account
    left join seeds.short_abandons as short_abandons
        on
            facts.vendor = short_abandons.vendor
            and facts.vendor_outcome = short_abandons.vendor_outcome
    cross join config.run as run
    where not facts.is_deleted
)

select
    call_date,
    call_hour,
    billing_month,
    vendor,
    account,
    direction,
    queue_name,
    cost_center,
    count(*) as calls,
    count(*) filter (where is_known) as outcome_known_calls,
    count(*) filter (where is_answered) as answered_calls,
    count(*) filter (where is_abandoned) as abandoned_calls,
    count(*) filter (where is_inbound and is_unanswered) as missed_calls,
    count(*) filter (where is_voicemail) as voicemail_calls,
    count(is_voicemail) as voicemail_known_calls,
    count(*) filter (where is_inbound and is_known and is_contained) as contained_calls,
    count(*) filter (where is_inbound and is_known) as inbound_known_calls,
    count(*) filter (where is_in_self_service) as self_service_calls,
    count(*) filter (where is_transferred) as transferred_calls,
    count(is_transferred) as transfer_known_calls,
    count(*) filter (where is_bot_handled) as bot_calls,
    count(is_bot_handled) as bot_known_calls,
    count(*) filter (where is_bot_transfer_known and not is_transferred)
        as bot_contained_calls,
    count(*) filter (where is_bot_transfer_known) as bot_transfer_known_calls,
    count(*) filter (where is_settled) as settled_calls,
    count(*) filter (where is_queued) as queued_calls,
    count(*) filter (where is_queued and is_abandoned is not null) as queued_known_calls,
    count(*) filter (where is_queued and is_offered and is_given_up)
        as abandoned_queued_calls,
    count(*) filter (where is_queued and is_offered and is_given_up and is_short)
        as short_abandoned_queued_calls,
    count(*) filter (where is_offered) as offered_calls,
    count(*) filter (where is_offered and is_abandoned is not null) as offered_known_calls,
    count(*) filter (where is_offered and is_answered) as answered_offered_calls,
    count(*) filter (where is_offered and is_given_up) as abandoned_offered_calls,
    count(*) filter (where is_offered and is_given_up and is_short)
        as short_abandoned_offered_calls,
    count(*) filter (where is_offered and (is_answered or is_given_up))
        as answered_or_abandoned_calls,
    count(wait) as waited_calls,
    count(wait) filter (where is_answered is not null) as waited_known_calls,
    count(wait) filter (where is_answered) as answered_waited_calls,
    count(*) filter (where is_answered and wait <= service_level_seconds)
        as answered_in_time_calls,
    count(wait) filter (where is_offered and is_given_up)
        as abandoned_waited_calls,
    count(wait) filter (where is_offered and is_given_up and is_short)
        as short_abandoned_waited_calls,
    count(*) filter (
        where is_offered and is_given_up and wait <= service_level_seconds
    ) as abandoned_in_time_calls,
    sum(wait)::decimal(18, 3) as queue_seconds,
    sum(wait) filter (where is_answered)::decimal(18, 3) as answered_queue_seconds,
    sum(wait) filter (where is_offered and is_given_up)
    ::decimal(18, 3) as abandoned_queue_seconds,
    count(answered_ring) as answered_rung_calls,
    sum(answered_ring)::decimal(18, 3) as answered_ring_seconds,
    count(answered_delay) as answered_delay_calls,
    sum(answered_delay)::decimal(18, 6) as answered_delay_seconds,
    count(*) filter (where is_outbound and is_answered is not null) as outbound_known_calls,
    count(*) filter (where is_outbound and is_answered) as outbound_answered_calls,
    count(*) filter (where is_outbound and is_unanswered) as outbound_unanswered_calls,
    count(line_seconds) as timed_calls,
    sum(line_seconds)::decimal(18, 3) as total_seconds,
    count(talk_seconds) as talked_calls,
    sum(talk_seconds)::decimal(18, 3) as talk_seconds,
    count(talk_wrap) as talk_wrap_calls,
    sum(talk_wrap)::decimal(18, 3) as talk_wrap_seconds,
    count(handle_seconds) as handled_calls,
    sum(handle_seconds)::decimal(18, 3) as handle_seconds,
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
        sum(line_seconds) filter (where is_whole and cost_reporting is not null), 0
    )::decimal(18, 3) as costed_seconds,
    sum(cost_reporting) filter (where is_whole and line_seconds is not null)::decimal(24, 6)
        as cost_of_costed_seconds,
    sum(cost_reporting) filter (where not is_whole)::decimal(24, 6) as cost_partial_reporting,
    count(*) filter (where is_cost_settled) as cost_settled_calls,
    sum(coalesce(cost_reporting, 0)) filter (where is_cost_settled)::decimal(24, 6)
        as cost_of_settled
from calls
group by all
