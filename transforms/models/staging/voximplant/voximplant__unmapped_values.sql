-- One row per Voximplant session: the values of its record that nothing here can use.
-- `fields` gives each value the type that it must have. A needed value is also listed
-- where it is absent: the account's currency, for without it nothing has a price; what
-- tells a leg or a record from another; what a resource was.
-- @key account, vendor_call_id
-- @not_null unmapped_values
with seeded as (
    select
        (
            select list(vendor_outcome)
            from seeds.outcomes
            where vendor = 'voximplant'
        ) as outcomes,
        (
            select coalesce(list(vendor_component), [])
            from staging.voximplant__components
        ) as resources
),

-- Calls with two amounts under one transaction.
transactions as (
    select
        account,
        vendor_call_id,
        count(distinct amount) as amounts
    from staging.voximplant__costs
    where vendor_transaction_id is not null
    group by account, vendor_call_id, vendor_transaction_id
),

doubtful as (
    select
        account,
        vendor_call_id
    from transactions
    group by account, vendor_call_id
    having max(amounts) > 1
),

sessions as (
    select
        sessions.account,
        sessions.record_id,
        sessions.record,
        -- Which of them was withdrawn the ledger shows, where it is read.
        list_concat(
            sessions.unmapped_values,
            if(
                doubtful.account is null,
                [],
                [struct_pack(field := 'transaction_id', value := 'has two amounts')]
            )
        ) as unmapped_values,
        coalesce(settings.currency, info.currency) as currency,
        seeded.outcomes,
        seeded.resources,
        timestamptz '2000-01-01 00:00:00Z' as earliest,
        sessions.last_loaded_at + interval 1 day as latest
    from staging.voximplant__call_sessions as sessions
    left join doubtful
        on sessions.account = doubtful.account and sessions.record_id = doubtful.vendor_call_id
    left join staging.voximplant__account_info as info
        on sessions.account = info.account
    left join config.accounts as settings
        on settings.vendor = 'voximplant' and sessions.account = settings.account
    cross join seeded
),

typed as (
    select
        *,
        list_concat(
            [
                ('currency', 'needed', currency),
                ('duration', 'seconds', record['duration']),
                ('finish_reason', 'outcome', record['finish_reason']),
                ('account_id', 'text', record['account_id']),
                ('application_id', 'text', record['application_id']),
                ('application_name', 'text', record['application_name']),
                ('rule_name', 'text', record['rule_name']),
                ('user_id', 'text', record['user_id']),
                ('audio_quality', 'text', record['audio_quality'])
            ],
            flatten(list_transform(
                record['calls'],
                lambda x: [
                    ('calls.call_id', 'needed', x['call_id']),
                    ('calls.start_time', 'time', x['start_time']),
                    ('calls.duration', 'seconds', x['duration']),
                    ('calls.cost', 'amount', x['cost']),
                    ('calls.incoming', 'boolean', x['incoming']),
                    ('calls.successful', 'boolean', x['successful']),
                    ('calls.local_number', 'text', x['local_number']),
                    ('calls.remote_number', 'text', x['remote_number']),
                    ('calls.remote_number_type', 'number type', x['remote_number_type']),
                    ('calls.transaction_id', 'text', x['transaction_id']),
                    ('calls.direction', 'text', x['direction']),
                    ('calls.diversion_number', 'text', x['diversion_number']),
                    ('calls.end_reason.code', 'code', x['end_reason']['code'])
                ]
            )),
            flatten(list_transform(
                record['records'],
                lambda x: [
                    ('records.record_id', 'needed', x['record_id']),
                    ('records.start_time', 'time', x['start_time']),
                    ('records.duration', 'seconds', x['duration']),
                    ('records.cost', 'amount', x['cost']),
                    ('records.transaction_id', 'text', x['transaction_id']),
                    ('records.file_size', 'text', x['file_size']),
                    ('records.transcription_status', 'status', x['transcription_status'])
                ]
            )),
            flatten(list_transform(
                record['other_resource_usage'],
                lambda x: [
                    ('other_resource_usage.resource_usage_id', 'text', x['resource_usage_id']),
                    ('other_resource_usage.resource_type', 'resource', x['resource_type']),
                    ('other_resource_usage.used_at', 'time', x['used_at']),
                    ('other_resource_usage.cost', 'amount', x['cost']),
                    ('other_resource_usage.resource_quantity', 'amount', x['resource_quantity']),
                    ('other_resource_usage.transaction_id', 'text', x['transaction_id']),
                    ('other_resource_usage.unit', 'text', x['unit']),
                    ('other_resource_usage.ref_call_id', 'text', x['ref_call_id'])
                ]
            ))
        )::struct(field varchar, type varchar, value varchar)[] as fields
    from sessions
),

checked as (
    select
        *,
        list_filter(
            fields,
            lambda x: case
                when coalesce(x['value'], '') = '' then x['type'] in ('needed', 'resource')
                when x['type'] = 'time'
                    then not coalesce(
                        read_time(x['value'], 'UTC') between earliest and latest, false
                    )
                when x['type'] = 'seconds'
                    then coalesce(try_cast(x['value'] as decimal(10, 3)) < 0, true)
                when x['type'] = 'amount'
                    then not coalesce(
                        try_cast(x['value'] as decimal(15, 6)) != 0
                        or try_cast(x['value'] as double) = 0,
                        false
                    )
                when x['type'] = 'boolean' then try_cast(x['value'] as boolean) is null
                when x['type'] = 'outcome' then not list_contains(outcomes, x['value'])
                when x['type'] = 'resource' then not list_contains(resources, x['value'])
                when x['type'] = 'number type'
                    then lower(x['value']) not in ('pstn', 'mobile', 'user', 'sip')
                when x['type'] = 'status'
                    then x['value'] not in ('Not required', 'In progress', 'Complete')
                when x['type'] = 'code' then not regexp_full_match(x['value'], '\d{3}')
                else left(x['value'], 1) in ('{', '[') and json_valid(x['value'])
            end
        ) as unmapped
    from typed
)

select
    account,
    record_id as vendor_call_id,
    list_concat(
        unmapped_values,
        list_transform(
            unmapped,
            lambda x: struct_pack(
                field := x['field'], value := coalesce(nullif(x['value'], ''), 'missing')
            )
        )
    ) as unmapped_values
from checked
