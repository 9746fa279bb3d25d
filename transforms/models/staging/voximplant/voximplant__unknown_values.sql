-- One row per Voximplant session: its words without a mapping, and its values of
-- another type; an account's currency that nobody says, for then nothing has a price.
-- An object where a text is due stays in the text's column; told of it is only that
-- it is one.
-- @key account, vendor_call_id
-- @not_null unknown_values
with read as (
    select
        sessions.account,
        sessions.record_id,
        coalesce(settings.currency, info.currency) as currency,
        sessions.record['duration'] as duration,
        try_cast(duration as decimal(10, 3)) >= 0 as has_duration,
        if(words.outcome is null, sessions.record['finish_reason'], null) as word
    from staging.voximplant__call_sessions as sessions
    left join staging.voximplant__account_info as info
        on sessions.account = info.account
    left join config.accounts as settings
        on settings.vendor = 'voximplant' and sessions.account = settings.account
    left join seeds.outcomes as words
        on
            words.vendor = 'voximplant'
            and sessions.record['finish_reason'] = words.vendor_outcome
),

own as (
    select
        account,
        record_id,
        list_filter(
            [
                ('currency', if(currency is null, 'missing', null)),
                ('duration', if(has_duration, null, duration)),
                ('finish_reason', word)
            ]::struct(field varchar, value varchar)[],
            lambda x: x['value'] != ''
        ) as pairs
    from read
),

pairs as (
    select
        account,
        record_id,
        unnest(list_filter(pairs, lambda x: x['value'] != '')) as pair
    from staging.voximplant__leg_misfits
    union all
    select
        account,
        record_id,
        unnest(list_filter(pairs, lambda x: x['value'] != '')) as pair
    from staging.voximplant__misfits
    union all
    select
        account,
        record_id,
        unnest(pairs) as pair
    from staging.voximplant__objects
    union all
    select
        account,
        record_id,
        unnest(pairs) as pair
    from own
),

misfits as (
    select
        account,
        record_id,
        list(
            distinct struct_pack(
                field := pair['field'],
                value := if(left(pair['value'], 1) in ('{', '['), 'no scalar', pair['value'])
            )
        ) as found
    from pairs
    group by all
)

select
    sessions.account,
    sessions.record_id as vendor_call_id,
    list_sort(list_concat(sessions.misshapen, misfits.found)) as unknown_values
from staging.voximplant__call_sessions as sessions
left join misfits
    on sessions.account = misfits.account and sessions.record_id = misfits.record_id
