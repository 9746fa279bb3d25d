-- One row per Voximplant session: who spoke, and what became of the call, for the vendor
-- only says how the session ended.
--
-- Whose call it is: one among users of the application alone, two of them at least, is internal;
-- one that began with a user's leg to the platform is outbound; else the first leg tells.
--
-- What became of it, the first that fits: answered, where an inbound call's onward leg was, an
-- outbound one's customer, or two users of an internal one; answered by a bot, where the customer
-- was connected, nobody else was called, and a bot spoke: a resource of a dialogue service or
-- language model, or speech recognition together with synthesis; contained, where nobody was
-- called, and there was such a resource, or the customer's leg was longer than
-- min_contained_seconds, else unknown; abandoned while ringing, where an inbound customer's own leg
-- ended with 487 (RFC 3261: the caller cancels), or the last leg onward did, and the customer's
-- ended within a minute of its dialling, for it may ring so long (voximplant.md, section 7); what
-- the last code means, of an inbound call the last onward leg's, of another the customer's; a code
-- that means nothing here is a failure, and a leg that failed without one was not answered. A
-- session without legs became what its end says.
-- @key account, vendor_call_id
-- @not_null direction, outcome, outcome_stage
with legs as (
    select
        account,
        vendor_call_id,
        count(*) as leg_count,
        count(*) > 1 and bool_and(role = 'agent') as is_internal,
        case
            when bool_or(leg_no = 1 and role = 'agent' and direction = 'inbound') then 'outbound'
            else max(direction) filter (where leg_no = 1)
        end as direction,
        -- A user who dials out has the customer on the platform's side of its own leg.
        if(
            bool_or(leg_no = 1 and role = 'agent' and direction = 'inbound'),
            arg_min(if(direction = 'inbound', to_party, from_party), leg_no)
            filter (where role = 'customer'),
            max(if(direction = 'inbound', to_party, from_party)) filter (where leg_no = 1)
        ) as business_number,
        arg_min(
            if(direction = 'inbound', from_party, to_party),
            (is_successful is distinct from true, leg_no)
        ) filter (where role = 'customer') as customer_number,
        count(*) filter (where role = 'customer') as customer_count,
        count(*) filter (where role != 'customer') as other_count,
        -- Known where one was connected, or none was for sure.
        case
            when bool_or(is_successful) filter (where role = 'customer') then true
            when bool_and(is_successful is not null) filter (where role = 'customer') then false
        end as is_customer_connected,
        case
            when bool_or(is_successful) filter (where role != 'customer' and direction != 'inbound')
                then true
            when
                bool_and(is_successful is not null)
                filter (where role != 'customer' and direction != 'inbound')
                then false
        end as is_called_connected,
        bool_or(is_successful) filter (where role = 'conference') as is_conference_connected,
        count_if(is_successful) >= 2 as are_two_connected,
        count_if(is_successful is null) > 0 as has_unknown,
        bool_or(is_successful) filter (where role = 'agent') as is_agent_connected,
        arg_max(end_code, leg_no) filter (where role = 'customer') as customer_code,
        arg_max(end_code, leg_no) filter (where role != 'customer') as other_code,
        max(started_at) filter (where role != 'customer') as last_dialled_at,
        min(started_at) filter (where role != 'customer') as first_dialled_at,
        max(ended_at) filter (where role = 'customer' and is_successful) as customer_ended_at,
        min(started_at) filter (where role = 'customer' and is_successful) as customer_started_at,
        -- An agent may be behind a leg that does not say whose, which way, or whether.
        if(
            bool_or(role = 'other' or direction = 'unknown' or is_successful is null),
            null,
            count(distinct if(direction = 'inbound', from_party, to_party))
            filter (where role = 'agent')
        ) as agent_count
    from staging.voximplant__legs
    group by all
),

resources as (
    select
        lines.account,
        lines.vendor_call_id,
        bool_or(components.component in ('bot', 'ai_llm', 'ai_platform')) as has_dialogue,
        bool_or(components.component = 'ai_stt') as has_recognition,
        bool_or(components.component = 'ai_tts') as has_synthesis,
        bool_or(components.component is null) as has_unknown
    from staging.voximplant__lines as lines
    left join staging.voximplant__components as components
        on lines.resource['resource_type'] = components.vendor_component
    where lines.section = 3
    group by all
),

parts as (
    select
        account,
        vendor_call_id,
        max(seconds) filter (where part = 'talk') as talk_seconds,
        max(seconds) filter (where part = 'transfer') as transfer_seconds,
        bool_or(part = 'transfer') as has_transfer
    from staging.voximplant__talks
    group by all
),

calls as (
    select
        sessions.account,
        sessions.record_id,
        sessions.record,
        legs.leg_count,
        legs.other_count,
        legs.customer_count,
        legs.business_number,
        legs.customer_number,
        legs.agent_count,
        coalesce(legs.is_agent_connected, false) as is_agent_connected,
        coalesce(legs.is_internal, false) as is_internal,
        if(legs.is_internal, 'internal', coalesce(legs.direction, 'unknown')) as direction,
        coalesce(direction = 'inbound' and legs.is_customer_connected, false)
            as is_inbound_connected,
        legs.is_customer_connected,
        parts.talk_seconds,
        parts.transfer_seconds,
        case
            when parts.has_transfer then true
            when legs.leg_count > 0 and not legs.has_unknown then false
        end as is_transferred,
        -- Resources may be used by whoever is on the line; before anybody is, by nobody.
        coalesce(
            resources.has_dialogue or (resources.has_recognition and resources.has_synthesis), false
        ) as has_bot,
        coalesce(resources.has_recognition or resources.has_synthesis, false) or has_bot
            as has_speech,
        sessions.record['other_resource_usage'] is not null
        and not coalesce(resources.has_unknown, false) as has_all_resources,
        coalesce(legs.first_dialled_at, legs.customer_ended_at) - legs.customer_started_at
            as time_in_menu,
        legs.customer_ended_at - legs.last_dialled_at as stayed_on,
        coalesce(time_in_menu > to_seconds(run.min_contained_seconds), false) as has_menu_time,
        case
            when legs.is_internal and legs.are_two_connected then true
            when legs.is_internal then if(legs.has_unknown, null, false)
            when is_inbound_connected
                then legs.is_called_connected or coalesce(legs.is_conference_connected, false)
            when direction = 'inbound'
                then coalesce(legs.is_customer_connected, legs.is_called_connected)
            when legs.customer_count > 0 then legs.is_customer_connected
            else legs.is_called_connected
        end as is_reached,
        case
            when direction = 'inbound' and not legs.is_customer_connected
                then legs.customer_code = '487'
            when is_inbound_connected and legs.other_code = '487'
                then stayed_on between interval 0 second and interval 1 minute
        end as has_given_up,
        case
            when legs.leg_count is null then sessions.record['finish_reason']
            when is_inbound_connected or legs.customer_count = 0 then legs.other_code
            else legs.customer_code
        end as end_reason
    from staging.voximplant__call_sessions as sessions
    left join legs
        on sessions.account = legs.account and sessions.record_id = legs.vendor_call_id
    left join resources
        on sessions.account = resources.account and sessions.record_id = resources.vendor_call_id
    left join parts
        on sessions.account = parts.account and sessions.record_id = parts.vendor_call_id
    cross join config.run as run
),

judged as (
    select
        calls.*,
        case
            when calls.is_reached then ['answered', 'connected']
            when calls.is_inbound_connected and calls.other_count = 0
                then
                    case
                        when calls.has_bot then ['answered', 'connected']
                        when calls.has_speech or calls.has_menu_time then ['contained', 'ivr']
                        else ['unknown', 'none']
                    end
            when calls.has_given_up then ['abandoned', 'ring']
            when words.outcome is not null then [words.outcome, words.outcome_stage]
            when calls.leg_count > 0 and calls.end_reason is not null and not calls.is_reached
                then ['failed', 'ring']
            when not calls.is_reached then ['no_answer', 'ring']
            else ['unknown', 'none']
        end as outcome_and_stage,
        if(
            outcome_and_stage[1] = 'unknown', null, outcome_and_stage[1] = 'answered'
        ) as is_answered
    from calls
    left join seeds.outcomes as words
        on words.vendor = 'voximplant' and calls.end_reason = words.vendor_outcome
)

select
    account,
    record_id as vendor_call_id,
    direction,
    customer_number,
    business_number,
    outcome_and_stage[1] as outcome,
    outcome_and_stage[2] as outcome_stage,
    talk_seconds,
    transfer_seconds,
    leg_count::integer as leg_count,
    agent_count::integer as agent_count,
    if(direction = 'outbound', customer_count, null)::integer as attempt_count,
    is_answered,
    case
        when not is_answered then false
        when is_answered and is_agent_connected then true
        when is_answered and other_count = 0 then false
    end as is_answered_by_person,
    is_transferred,
    case
        when leg_count is null then null
        when not coalesce(is_customer_connected, true) then false
        when has_bot then true
        when has_all_resources then false
    end as is_bot_handled,
    case
        when direction != 'inbound' then null
        when not is_customer_connected then false
        when has_speech or has_menu_time then true
        when has_all_resources and time_in_menu is not null then false
    end as is_self_service,
    case
        when outcome_and_stage[1] = 'contained' then true
        when not is_answered then false
        when is_answered and other_count > 0 then false
        when is_answered and has_bot then true
        when is_answered and has_all_resources then false
    end as is_contained
from judged
