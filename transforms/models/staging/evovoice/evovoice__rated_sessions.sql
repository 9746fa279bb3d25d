-- One row per voice session that has ended: whose prices it is rated by, for how many
-- minutes; or why it is not rated. The nearest customer that overrides the account's prices
-- has its own, else they are the account's (evovoice.md, section 8). The prices are those in
-- effect when it was created. An outbound call that nobody took has no minutes, and one that was
-- answered has those from the answer on, unless the settings bill_unanswered and bill_ringing
-- say otherwise (the carrier bills neither; evovoice.md, section 8).
-- @key account, record_id
-- @not_null month
with voice as (
    select
        sessions.account,
        sessions.record_id,
        sessions.created_at,
        sessions.session['accountId'] as account_id,
        date_trunc('month', sessions.created_at at time zone 'UTC') as month,
        case
            when sessions.session['direction'] in ('Incoming', '0') then 'inboundVoiceCalls'
            when sessions.session['direction'] in ('Outgoing', '1') then 'outboundVoiceCalls'
        end as item,
        case
            when sessions.is_missed then 0
            when
                item = 'outboundVoiceCalls'
                and not coalesce(accounts.bill_unanswered, false)
                and not words.is_answered::boolean
                and words.outcome != 'voicemail'
                and coalesce(sessions.session['answeredById'], '') = ''
                and durations.answered_at is null
                then 0
            else
                (
                    epoch_us(sessions.completed_at) - epoch_us(
                        if(
                            item = 'outboundVoiceCalls'
                            and durations.answered_at is not null
                            and not coalesce(accounts.bill_ringing, false),
                            least(durations.answered_at, sessions.completed_at),
                            sessions.created_at
                        )
                    ) + 59999999
                ) // 60000000
        end::decimal(18, 0) as minutes,
        coalesce(accounts.price_owner, 'nearest') as price_owner_setting,
        coalesce(accounts.price_formula, 'multiplied_units') as price_formula,
        coalesce(accounts.rates_byoa, false) as rates_byoa
    from staging.evovoice__sessions as sessions
    left join config.accounts as accounts
        on sessions.account = accounts.account and accounts.vendor = 'evovoice'
    left join staging.evovoice__durations as durations
        on
            sessions.account = durations.account
            and sessions.record_id = durations.vendor_call_id
    left join seeds.outcomes as words
        on words.vendor = 'evovoice' and sessions.session['outcome'] = words.vendor_outcome
    where
        sessions.session['channel'] in ('Voice', '0')
        and sessions.has_ended
),

customers as (
    select
        voice.account,
        voice.record_id,
        payers.payer_id as owner_id,
        lists.fetched_at
    from voice
    inner join staging.evovoice__payers as payers
        on voice.account = payers.account and voice.record_id = payers.vendor_call_id
    inner join staging.evovoice__price_owners as lists
        on
            lists.owner_kind = 'customer'
            and lists.is_in_force
            and payers.payer_kind = 'customer'
            and voice.account = lists.account
            and payers.payer_id = lists.owner_id
            and voice.created_at >= lists.valid_from
            and voice.created_at < lists.valid_to
    where voice.price_owner_setting != 'account'
    qualify row_number() over (
        partition by voice.account, voice.record_id
        order by if(voice.price_owner_setting = 'outermost', -payers.level, payers.level)
    ) = 1
)

select
    voice.account,
    voice.record_id,
    voice.created_at,
    voice.account_id,
    voice.month,
    voice.item,
    voice.minutes,
    voice.price_formula,
    if(customers.owner_id is null, 'account', 'customer') as owner_kind,
    coalesce(customers.owner_id, voice.account_id) as owner_id,
    if(customers.owner_id is null, lists.fetched_at, customers.fetched_at) as list_read_at,
    case
        when lists.is_byoa and not voice.rates_byoa then 'own_carrier'
        when voice.item is null then 'no_direction'
        when voice.minutes is null then 'no_length'
        when customers.owner_id is null and lists.owner_id is null then 'no_price_list'
    end as unrated_reason
from voice
left join customers
    on voice.account = customers.account and voice.record_id = customers.record_id
left join staging.evovoice__price_owners as lists
    on
        lists.owner_kind = 'account'
        and voice.account = lists.account
        and voice.account_id = lists.owner_id
        and voice.created_at >= lists.valid_from
        and voice.created_at < lists.valid_to
