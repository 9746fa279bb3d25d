-- One row per Voximplant session: its words without a mapping, and its values of
-- another type; an account's currency that nobody says, for then nothing has a price.
-- An object where a text is due stays in the text's column; told of it is only that
-- it is one.
-- @key account, vendor_call_id
-- @not_null unknown_values
with given as (
    select
        sessions.account,
        sessions.record_id,
        sessions.misshapen,
        list_concat(misfits.misfits, lines.misfits) as misfits,
        coalesce(settings.currency, info.currency) as currency
    from staging.voximplant__call_sessions as sessions
    inner join staging.voximplant__misfits as misfits
        on sessions.account = misfits.account and sessions.record_id = misfits.record_id
    inner join staging.voximplant__line_misfits as lines
        on sessions.account = lines.account and sessions.record_id = lines.record_id
    left join staging.voximplant__account_info as info
        on sessions.account = info.account
    left join config.accounts as settings
        on settings.vendor = 'voximplant' and sessions.account = settings.account
)

select
    account,
    record_id as vendor_call_id,
    list_sort(
        list_concat(
            misshapen,
            list_distinct(
                list_transform(
                    misfits,
                    lambda x: {
                        'field': x['field'],
                        'value': if(left(x['value'], 1) in ('{', '['), 'no scalar', x['value'])
                    }
                )
            ),
            if(currency is null, [{ 'field': 'currency', 'value': 'missing' }], [])
        )
    ) as unknown_values
from given
