-- One row per leg of a Voximplant session: a party that called in or was called.
-- A leg to a user of the application is an agent's; the first other one is the
-- customer's; whoever is called on the telephone after that is a transfer.
-- @key account, vendor_call_id, leg_no
-- @not_null role, direction
-- @column leg_no: order of start_time, then call_id, among calls
-- @column role: remote_number_type and order: a user is an agent, the first other leg the customer
-- @column direction: incoming
-- @column from_party: remote_number inbound, local_number outbound
-- @column to_party: local_number inbound, remote_number outbound
-- @column started_at: start_time
-- @column ended_at: start_time plus duration
-- @column total_seconds: duration
-- @column is_successful: successful
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
        try_cast(leg['successful'] as boolean) as is_successful,
        nullif(leg['end_reason']['details'], '') as vendor_result,
        nullif(leg['end_reason']['code'], '') as end_code,
        try_cast(leg['cost'] as decimal(15, 6)) as amount,
        if(amount != 0 or try_cast(leg['cost'] as double) = 0, amount, null) as cost
    from legs
),

with_roles as (
    select
        *,
        direction = 'outbound' and coalesce(party_kind = 'user', false) as is_agent,
        row_number() over (
            partition by account, vendor_call_id, is_agent
            order by leg_no
        ) = 1 as is_first
    from typed
)

select
    with_roles.account,
    with_roles.vendor_call_id,
    with_roles.leg_no,
    case
        when with_roles.is_agent then 'agent'
        when with_roles.is_first then 'customer'
        when with_roles.direction = 'inbound' then 'conference'
        when with_roles.party_kind in ('pstn', 'mobile') then 'transfer'
        else 'other'
    end as role,
    with_roles.direction,
    case with_roles.direction
        when 'inbound' then with_roles.remote_number else with_roles.local_number
    end as from_party,
    case with_roles.direction
        when 'inbound' then with_roles.local_number else with_roles.remote_number
    end as to_party,
    with_roles.started_at,
    with_roles.started_at + to_seconds(with_roles.total_seconds::double) as ended_at,
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
