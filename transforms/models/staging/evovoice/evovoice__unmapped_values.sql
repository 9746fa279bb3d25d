-- One row per voice session: the values of its record that nothing here can use, and those
-- of the price lists of those who pay for it.
-- @key account, vendor_call_id
-- @not_null unmapped_values
with newest as (
    select *
    from staging.evovoice__price_owners
    qualify rank() over (
        partition by account, owner_kind, owner_id order by load_no desc, fetched_at desc
    ) = 1
),

listed as (
    select
        account,
        owner_kind,
        owner_id,
        unmapped_values
    from newest
    union all
    select
        items.account,
        items.owner_kind,
        items.owner_id,
        items.unmapped_values
    from newest
    inner join staging.evovoice__price_items as items
        on
            newest.account = items.account
            and newest.owner_kind = items.owner_kind
            and newest.owner_id = items.owner_id
            and newest.fetched_at = items.fetched_at
),

prices as (
    select
        payers.account,
        payers.vendor_call_id,
        list_distinct(flatten(list(listed.unmapped_values))) as unmapped_values
    from staging.evovoice__payers as payers
    inner join listed
        on
            payers.account = listed.account
            and payers.payer_kind = listed.owner_kind
            and payers.payer_id = listed.owner_id
    group by all
),

logs as (
    select
        account,
        record_id,
        -- What is written there is personal.
        if(bool_or(is_unknown), [{ 'field': 'log.message', 'value': 'unknown line' }], [])
        || if(bool_or(is_undated), [{ 'field': 'log.date', 'value': 'not a time' }], [])
            as unmapped_values
    from staging.evovoice__log_lines
    group by all
),

sessions as (
    select
        sessions.*,
        words.outcome,
        prices.unmapped_values as unmapped_prices,
        logs.unmapped_values as unmapped_lines
    from staging.evovoice__sessions as sessions
    left join prices
        on
            sessions.account = prices.account
            and sessions.record_id = prices.vendor_call_id
    left join logs on sessions.account = logs.account and sessions.record_id = logs.record_id
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
            flatten(list_transform(session['customerBreadcrumb'], lambda x: [
                { 'key': 'customerBreadcrumb.id', 'value': x['id'] },
                { 'key': 'customerBreadcrumb.name', 'value': x['name'] }
            ])),
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
        unmapped_lines,
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
                    when x['key'] in ('members', 'customerBreadcrumb', 'log') then false
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
