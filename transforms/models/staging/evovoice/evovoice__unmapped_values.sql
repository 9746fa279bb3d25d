-- One row per voice session: the values of its record that nothing here can use, and those
-- of the price list of its account.
-- @key account, vendor_call_id
-- @not_null unmapped_values
with newest as (
    select
        account,
        record_id,
        unmapped_values
    from staging.evovoice__accounts
    qualify rank() over (partition by account, record_id order by load_no desc, fetched_at desc) = 1
),

prices as (
    select
        account,
        record_id,
        list_distinct(flatten(list(unmapped_values))) as unmapped_values
    from newest
    group by all
),

sessions as (
    select
        sessions.*,
        words.outcome,
        prices.unmapped_values as unmapped_prices
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

opened as (
    select
        *,
        list_concat(
            map_entries(from_json(to_json(session), '"MAP(VARCHAR, VARCHAR)"')),
            flatten(list_transform(session['members'], lambda x: list_transform(
                map_entries(from_json(to_json(x), '"MAP(VARCHAR, VARCHAR)"')),
                lambda y: { 'key': 'members.' || y['key'], 'value': y['value'] }
            ))),
            [
                { 'key': 'dateLastModified', 'value': modified },
                { 'key': 'channel', 'value': if(session['channel'] != '', null, 'missing') }
            ]
        ) as fields
    from sessions
)

select
    account,
    record_id as vendor_call_id,
    list_concat(
        unmapped_values,
        unmapped_prices,
        list_transform(
            list_filter(
                fields,
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
            lambda x: struct_pack(field := x['key'], value := x['value'])
        )
    ) as unmapped_values
from opened
