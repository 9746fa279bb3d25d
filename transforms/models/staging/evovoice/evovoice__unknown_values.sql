-- One row per voice session: its words without a mapping, its values of another type,
-- and those of the price list of its account. An object where a text is due stays in
-- the text's column; told of it is only that it is one.
-- @key account, vendor_call_id
-- @not_null unknown_values
with newest as (
    select
        account,
        record_id,
        unknown_values
    from staging.evovoice__accounts
    qualify rank() over (partition by account, record_id order by load_no desc, fetched_at desc) = 1
),

prices as (
    select
        account,
        record_id,
        list_distinct(flatten(list(unknown_values))) as unknown_values
    from newest
    group by all
),

given as (
    select
        sessions.*,
        words.outcome,
        prices.unknown_values as prices,
        map_entries(from_json(to_json(sessions.session), '"MAP(VARCHAR, VARCHAR)"')) as fields
    from staging.evovoice__sessions as sessions
    left join prices
        on
            sessions.account = prices.account
            and sessions.session['accountId'] = prices.record_id
    left join seeds.outcomes as words
        on
            words.vendor = 'evovoice'
            and sessions.session['outcome'] = words.vendor_outcome
    where sessions.is_call
),

entries as (
    select
        *,
        list_concat(
            fields,
            flatten(list_transform(session['members'], lambda x: list_transform(
                map_entries(from_json(to_json(x), '"MAP(VARCHAR, VARCHAR)"')),
                lambda y: { 'key': 'members.' || y['key'], 'value': y['value'] }
            ))),
            [
                { 'key': 'dateLastModified', 'value': modified },
                { 'key': 'channel', 'value': if(session['channel'] != '', null, 'missing') }
            ]
        ) as entries
    from given
)

select
    account,
    record_id as vendor_call_id,
    list_concat(
        misshapen,
        prices,
        list_transform(
            list_filter(
                entries,
                lambda x: x['value'] != '' and case
                    when x['key'] = 'channel' then x['value'] not in ('Voice', '0')
                    when x['key'] = 'direction'
                        then x['value'] not in ('Incoming', 'Outgoing', '0', '1')
                    when x['key'] = 'outcome' then outcome is null
                    when x['key'] = 'dateCompleted' then completed_at is null
                    when x['key'] = 'dateLastModified' then modified_at is null
                    when x['key'] in ('ended', 'wasMissed')
                        then try_cast(x['value'] as boolean) is null
                    when x['key'] = 'members' then false
                    when x['key'] = 'members.role'
                        then x['value'] not in (
                            'None', 'Caller', 'Agent', 'Transfer', '0', '1', '2', '3'
                        )
                    when x['key'] = 'members.callState'
                        then x['value'] not in (
                            'None', 'Ringing', 'Connected', 'Hold', '0', '1', '2', '3'
                        )
                    else left(x['value'], 1) in ('{', '[') and json_valid(x['value'])
                end
            ),
            lambda x: struct_pack(
                field := x['key'],
                value := if(left(x['value'], 1) in ('{', '['), 'no scalar', x['value'])
            )
        )
    ) as unknown_values
from entries
