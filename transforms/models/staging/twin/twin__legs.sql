-- One row per stage of a TWIN call that took time. Stages overlap.
-- @key account, vendor_call_id, leg_no
-- @not_null role, total_seconds
-- @accepted role: customer, bot, transfer, other
-- @column leg_no: main 1, auto 2, robot 3, transfer 4, AI 5
-- @column role: main is the customer's, robot and AI are bots, transfer a transfer
-- @column direction: main inbound; auto and transfer outbound
-- @column from_party: callingNumber of the main stage
-- @column to_party: number of the main stage
-- @column party_name: robot, or ai
-- @column total_seconds: mainCallDuration, autoCallDuration, robotCallDuration,
--     transferCallDuration, aiCallDuration
-- @column cost: mainCallTotalCost, autoCallTotalCost, robotCallTotalCost, transferCallTotalCost,
--     aiCallTotalCost, once billed
-- @column currency: the configured currency, else RUB
with stages as (
    select
        account,
        record_id as vendor_call_id,
        is_billed,
        if(is_erased, null, nullif(record['callingNumber'], '')) as caller,
        nullif(record['number'], '') as called,
        unnest([1, 2, 3, 4, 5]) as leg_no,
        unnest(['customer', 'other', 'bot', 'transfer', 'bot']) as role,
        unnest(['inbound', 'outbound', null, 'outbound', null]) as direction,
        unnest([null, null, 'robot', null, 'ai']) as party_name,
        unnest([
            record['mainCallDuration'],
            record['autoCallDuration'],
            record['robotCallDuration'],
            record['transferCallDuration'],
            record['aiCallDuration']
        ]) as total_seconds,
        unnest([
            record['mainCallTotalCost'],
            record['autoCallTotalCost'],
            record['robotCallTotalCost'],
            record['transferCallTotalCost'],
            record['aiCallTotalCost']
        ]) as cost
    from staging.twin__sessions
),

typed as (
    select
        * replace (
            try_cast(total_seconds as decimal(12, 3)) as total_seconds,
            case
                when
                    is_billed
                    and (try_cast(cost as decimal(15, 6)) != 0 or try_cast(cost as double) = 0)
                    then try_cast(cost as decimal(15, 6))::decimal(18, 6)
            end as cost
        )
    from stages
)

select
    typed.account,
    typed.vendor_call_id,
    typed.leg_no,
    typed.role,
    typed.direction,
    case when typed.role = 'customer' then typed.caller end as from_party,
    case when typed.role = 'customer' then typed.called end as to_party,
    typed.party_name,
    typed.total_seconds,
    typed.cost,
    case when typed.cost is not null then coalesce(accounts.currency, 'RUB') end as currency
from typed
left join config.accounts as accounts
    on accounts.vendor = 'twin' and typed.account = accounts.account
where typed.total_seconds > 0
