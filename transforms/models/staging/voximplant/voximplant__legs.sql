-- One row per leg of a Voximplant session: a party that called in or was called.
-- A leg to or from a user of the application is an agent's; the first other one is the
-- customer's. Whoever is called on the telephone after that is a transfer while a leg that
-- somebody answered goes on; else it is one more attempt to reach a customer, where the first
-- one was dialled, too.
-- @key account, vendor_call_id, leg_no
-- @not_null role, direction
-- @column leg_no: order of start_time, then call_id, among calls
-- @column role: remote_number_type, order and times: a user is an agent, the first other leg the
--     customer, and so is one that was dialled when no answered one went on
-- @column direction: incoming
-- @column from_party: remote_number inbound, local_number outbound
-- @column to_party: local_number inbound, remote_number outbound
-- @column started_at: start_time
-- @column ended_at: start_time plus duration
-- @column total_seconds: duration
-- @column is_successful: successful, else whether end_reason.code is 200
-- @column vendor_result: end_reason.details
-- @column end_code: end_reason.code
-- @column cost: cost
-- @column currency: account_info.currency (RUR is RUB), or the configured currency
with legs as (
    select
        account,
        record_id as vendor_call_id,
        last_loaded_at,
        unnest(record['calls']) as leg
    from staging.voximplant__call_sessions
),

typed as (
    select
        account,
        vendor_call_id,
        row_number() over (
            partition by account, vendor_call_id
            order by
                leg['start_time'] asc nulls last,
                try_cast(leg['call_id'] as hugeint) asc nulls last,
                leg['call_id'] asc
        )::integer as leg_no,
        case try_cast(leg['incoming'] as boolean)
            when true then 'inbound' when false then 'outbound' else 'unknown'
        end as direction,
        lower(leg['remote_number_type']) as party_kind,
        nullif(leg['remote_number'], '') as remote_number,
        nullif(leg['local_number'], '') as local_number,
        read_time(leg['start_time'], 'UTC') as sent_start,
        if(
            sent_start between timestamptz '2000-01-01 00:00:00Z'
            and last_loaded_at + interval 1 day,
            sent_start,
            null
        ) as started_at,
        -- Far shorter than what overflows when legs are added up.
        try_cast(leg['duration'] as decimal(10, 3)) as seconds,
        if(seconds >= 0, seconds, null) as total_seconds,
        nullif(leg['end_reason']['details'], '') as vendor_result,
        nullif(leg['end_reason']['code'], '') as end_code,
        if(
            coalesce(leg['successful'], '') = '',
            if(regexp_full_match(end_code, '\d{3}'), end_code = '200', null),
            try_cast(leg['successful'] as boolean)
        ) as is_successful,
        try_cast(leg['cost'] as decimal(15, 6)) as amount,
        if(amount != 0 or try_cast(leg['cost'] as double) = 0, amount, null) as cost
    from legs
),

with_order as (
    select
        *,
        started_at + to_seconds(total_seconds::double) as ended_at,
        coalesce(party_kind = 'user', false) as is_agent,
        row_number() over of_side = 1 as is_first,
        first_value(direction) over of_side as first_direction,
        max(if(is_successful, coalesce(ended_at, timestamptz 'infinity'), null)) over (
            partition by account, vendor_call_id, is_agent
            order by started_at
            range between unbounded preceding and current row exclude group
        ) as answered_until
    from typed
    window of_side as (partition by account, vendor_call_id, is_agent order by leg_no)
),

with_roles as (
    select
        *,
        case
            when is_agent then 'agent'
            when is_first then 'customer'
            when direction = 'inbound' then 'conference'
            when party_kind not in ('pstn', 'mobile') or party_kind is null then 'other'
            when first_direction = 'outbound' and not coalesce(answered_until > started_at, false)
                then 'customer'
            else 'transfer'
        end as role
    from with_order
)

select
    with_roles.account,
    with_roles.vendor_call_id,
    with_roles.leg_no,
    with_roles.role,
    with_roles.direction,
    case with_roles.direction
        when 'inbound' then with_roles.remote_number else with_roles.local_number
    end as from_party,
    case with_roles.direction
        when 'inbound' then with_roles.local_number else with_roles.remote_number
    end as to_party,
    with_roles.started_at,
    with_roles.ended_at,
    with_roles.total_seconds,
    with_roles.is_successful,
    with_roles.vendor_result,
    with_roles.end_code,
    if(
        coalesce(settings.currency, info.currency) is null, null, with_roles.cost
    ) as cost,
    if(with_roles.cost is null, null, coalesce(settings.currency, info.currency)) as currency
from with_roles
left join staging.voximplant__account_info as info
    on with_roles.account = info.account
left join config.accounts as settings
    on settings.vendor = 'voximplant' and with_roles.account = settings.account
