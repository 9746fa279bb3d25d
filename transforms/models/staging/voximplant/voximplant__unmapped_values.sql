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
            [('currency', currency)],
            list_transform(record['calls'], lambda x: ('calls.call_id', x['call_id'])),
            list_transform(record['records'], lambda x: ('records.record_id', x['record_id']))
        )::struct(field varchar, value varchar)[] as needed,
        list_concat(
            [
                ('account_id', record['account_id']),
                ('application_id', record['application_id']),
                ('application_name', record['application_name']),
                ('rule_name', record['rule_name']),
                ('user_id', record['user_id']),
                ('audio_quality', record['audio_quality'])
            ],
            flatten(list_transform(
                record['calls'],
                lambda x: [
                    ('calls.local_number', x['local_number']),
                    ('calls.remote_number', x['remote_number']),
                    ('calls.transaction_id', x['transaction_id']),
                    ('calls.direction', x['direction']),
                    ('calls.diversion_number', x['diversion_number'])
                ]
            )),
            flatten(list_transform(
                record['records'],
                lambda x: [
                    ('records.transaction_id', x['transaction_id']),
                    ('records.file_size', x['file_size'])
                ]
            )),
            flatten(list_transform(
                record['other_resource_usage'],
                lambda x: [
                    ('other_resource_usage.resource_usage_id', x['resource_usage_id']),
                    ('other_resource_usage.transaction_id', x['transaction_id']),
                    ('other_resource_usage.unit', x['unit']),
                    ('other_resource_usage.ref_call_id', x['ref_call_id'])
                ]
            ))
        )::struct(field varchar, value varchar)[] as texts,
        list_concat(
            list_transform(record['calls'], lambda x: ('calls.start_time', x['start_time'])),
            list_transform(record['records'], lambda x: ('records.start_time', x['start_time'])),
            list_transform(
                record['other_resource_usage'],
                lambda x: ('other_resource_usage.used_at', x['used_at'])
            )
        )::struct(field varchar, value varchar)[] as times,
        list_concat(
            [('duration', record['duration'])],
            list_transform(record['calls'], lambda x: ('calls.duration', x['duration'])),
            list_transform(record['records'], lambda x: ('records.duration', x['duration']))
        )::struct(field varchar, value varchar)[] as seconds,
        list_concat(
            list_transform(record['calls'], lambda x: ('calls.cost', x['cost'])),
            list_transform(record['records'], lambda x: ('records.cost', x['cost'])),
            flatten(list_transform(
                record['other_resource_usage'],
                lambda x: [
                    ('other_resource_usage.cost', x['cost']),
                    ('other_resource_usage.resource_quantity', x['resource_quantity'])
                ]
            ))
        )::struct(field varchar, value varchar)[] as amounts,
        flatten(list_transform(
            record['calls'],
            lambda x: [
                ('calls.incoming', x['incoming']),
                ('calls.successful', x['successful'])
            ]
        ))::struct(field varchar, value varchar)[] as booleans
    from sessions
),

checked as (
    select
        account,
        record_id,
        unmapped_values,
        list_concat(
            list_filter(
                needed,
                lambda x: coalesce(x['value'], '') = ''
                or (left(x['value'], 1) in ('{', '[') and json_valid(x['value']))
            ),
            list_filter(
                texts, lambda x: left(x['value'], 1) in ('{', '[') and json_valid(x['value'])
            ),
            list_filter(
                times,
                lambda x: x['value'] != ''
                and not coalesce(read_time(x['value'], 'UTC') between earliest and latest, false)
            ),
            list_filter(
                seconds,
                lambda x: x['value'] != ''
                and coalesce(try_cast(x['value'] as decimal(10, 3)) < 0, true)
            ),
            list_filter(
                amounts,
                lambda x: x['value'] != ''
                and not coalesce(
                    try_cast(x['value'] as decimal(15, 6)) != 0
                    or try_cast(x['value'] as double) = 0,
                    false
                )
            ),
            list_filter(
                booleans, lambda x: x['value'] != '' and try_cast(x['value'] as boolean) is null
            ),
            list_filter(
                [('finish_reason', record['finish_reason'])],
                lambda x: x[2] != '' and not list_contains(outcomes, x[2])
            ),
            list_filter(
                list_transform(
                    record['calls'],
                    lambda x: ('calls.remote_number_type', x['remote_number_type'])
                ),
                lambda x: x[2] != '' and lower(x[2]) not in ('pstn', 'mobile', 'user', 'sip')
            ),
            list_filter(
                list_transform(
                    record['calls'], lambda x: ('calls.end_reason.code', x['end_reason']['code'])
                ),
                lambda x: x[2] != '' and not regexp_full_match(x[2], '\d{3}')
            ),
            list_filter(
                list_transform(
                    record['records'],
                    lambda x: ('records.transcription_status', x['transcription_status'])
                ),
                lambda x: x[2] not in ('', 'Not required', 'In progress', 'Complete')
            ),
            list_filter(
                list_transform(
                    record['other_resource_usage'],
                    lambda x: ('other_resource_usage.resource_type', x['resource_type'])
                ),
                lambda x: coalesce(x[2], '') = '' or not list_contains(resources, x[2])
            )
        )::struct(field varchar, value varchar)[] as unmapped
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
