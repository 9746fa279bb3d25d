-- One row per Zoom engagement: the values of its record that nothing here can use.
-- `fields` gives each value the type that it must have. An object of a list that has
-- nothing in it is {}. Legs are numbered by their start, so one without it is listed too.
-- @key account, vendor_call_id
-- @not_null unmapped_values
with seeded as (
    select list(vendor_outcome) as outcomes
    from seeds.outcomes
    where vendor = 'zoom'
),

legs as (
    select
        account,
        vendor_call_id,
        currency,
        any_value(engagement_amount) as engagement_amount
    from staging.zoom__leg_charges
    group by all
),

calls as (
    select
        calls.account,
        calls.record_id,
        calls.record,
        list_concat(
            calls.unmapped_values,
            parts.unmapped_values,
            prices.unmapped_values,
            -- The legs' charges are taken to be in the charge: then it is no less than they are,
            -- but for a credit.
            if(
                charges.amount >= 0 and charges.amount < legs.engagement_amount,
                [struct_pack(field := 'charge', value := 'less than those of its legs')],
                []
            )
        ) as unmapped_values,
        seeded.outcomes,
        countries.country,
        calls.event_at,
        timestamptz '2000-01-01 00:00:00Z' as earliest,
        calls.last_loaded_at + interval 1 day as latest
    from staging.zoom__voice_calls as calls
    left join staging.zoom__engagements as parts
        on calls.account = parts.account and calls.record_id = parts.record_id
    left join staging.zoom__unmapped_prices as prices
        on calls.account = prices.account and calls.record_id = prices.record_id
    left join staging.zoom__prices as charges
        on calls.account = charges.account and calls.record['charge'] = charges.charge
    left join legs
        on
            calls.account = legs.account
            and calls.record_id = legs.vendor_call_id
            and charges.currency = legs.currency
    left join seeds.countries as countries
        on
            lower(replace(trim(calls.record['country_name']), '’', ''''))
            = countries.name
    cross join seeded
),

typed as (
    select
        *,
        list_concat(
            [
                ('direction', 'direction', record['direction']),
                ('end_time', 'end', record['end_time']),
                ('total_duration', 'seconds', record['total_duration']),
                ('result', 'outcome', record['result']),
                ('charge_type', 'charge type', record['charge_type']),
                ('recorded', 'boolean', record['recorded']),
                ('monitored', 'boolean', record['monitored']),
                ('country_name', 'country', record['country_name']),
                ('caller_number_type', 'text', record['caller_number_type']),
                ('callee_number_type', 'text', record['callee_number_type']),
                ('caller_id', 'text', record['caller_id']),
                ('calling_party', 'text', record['calling_party']),
                ('inbox', 'boolean', record['inbox']),
                ('caller_number', 'text', record['caller_number']),
                ('callee_number', 'text', record['callee_number']),
                ('consumer_number', 'text', record['consumer_number'])
            ],
            list_transform(record['types'], lambda x: ('types', 'type', x)),
            list_transform(record['sub_types'], lambda x: ('sub_types', 'sub type', x)),
            list_transform(record['call_legs'], lambda x: ('call_legs', 'direction', x)),
            list_transform(
                record['distributions'], lambda x: ('distributions', 'distribution', x)
            ),
            flatten(list_transform(
                record['flows'],
                lambda x: [
                    (
                        'flows',
                        'text',
                        if(coalesce(x['flow_id'], x['flow_name']) is null, '{}', null)
                    ),
                    ('flows.flow_id', 'text', x['flow_id']),
                    ('flows.flow_name', 'text', x['flow_name'])
                ]
            )),
            flatten(list_transform(
                list_concat(record['session_border_controller_list'], record['sbcInfos']),
                lambda x: [
                    (
                        'session_border_controller_list',
                        'text',
                        if(
                            coalesce(
                                x['session_border_controller_name'],
                                x['consumer_zoom_trunk_name']
                            ) is null,
                            '{}',
                            null
                        )
                    ),
                    (
                        'session_border_controller_list.session_border_controller_name',
                        'text',
                        x['session_border_controller_name']
                    ),
                    (
                        'session_border_controller_list.consumer_zoom_trunk_name',
                        'text',
                        x['consumer_zoom_trunk_name']
                    )
                ]
            )),
            flatten(list_transform(
                record['queues'],
                lambda x: [
                    (
                        'queues',
                        'text',
                        if(
                            coalesce(x['queue_id'], x['cc_queue_id'], x['queue_name']) is null,
                            '{}',
                            null
                        )
                    ),
                    ('queues.queue_id', 'text', x['queue_id']),
                    ('queues.cc_queue_id', 'text', x['cc_queue_id']),
                    ('queues.queue_name', 'text', x['queue_name'])
                ]
            )),
            flatten(list_transform(
                list_concat(
                    list_transform(record['agents'], lambda x: ('agents', x)),
                    flatten(list_transform(
                        record['voice_call_details'],
                        lambda x: list_transform(
                            x['agents'], lambda y: ('voice_call_details.agents', y)
                        )
                    ))
                ),
                lambda x: [
                    (
                        x[1],
                        'text',
                        if(coalesce(x[2]['user_id'], x[2]['display_name']) is null, '{}', null)
                    ),
                    (x[1] || '.user_id', 'text', x[2]['user_id']),
                    (x[1] || '.display_name', 'text', x[2]['display_name'])
                ]
            )),
            flatten(list_transform(
                record['voice_call_details'],
                lambda x: [
                    (
                        'voice_call_details',
                        'empty',
                        if(
                            coalesce(
                                x['call_leg'], x['type'], x['rate'], x['charge'],
                                x['start_time'], x['end_time'], x['total_duration'],
                                x['caller_number'], x['callee_number'], x['result']
                            ) is null and x['flow'] is null and x['queue'] is null
                            and x['agents'] is null,
                            'empty',
                            null
                        )
                    ),
                    ('voice_call_details.call_leg', 'direction', x['call_leg']),
                    ('voice_call_details.type', 'type', x['type']),
                    ('voice_call_details.distribution', 'distribution', x['distribution']),
                    (
                        'voice_call_details.queue.cc_queue_id',
                        'text',
                        x['queue']['cc_queue_id']
                    ),
                    (
                        'voice_call_details.queue.queue_name',
                        'text',
                        x['queue']['queue_name']
                    ),
                    (
                        'voice_call_details.start_time',
                        'time',
                        coalesce(nullif(x['start_time'], ''), 'missing')
                    ),
                    ('voice_call_details.end_time', 'time', x['end_time']),
                    ('voice_call_details.total_duration', 'seconds', x['total_duration']),
                    ('voice_call_details.result', 'outcome', x['result']),
                    ('voice_call_details.caller_number', 'text', x['caller_number']),
                    ('voice_call_details.callee_number', 'text', x['callee_number'])
                ]
            ))
        )::struct(field varchar, type varchar, value varchar)[] as fields
    from calls
),

checked as (
    select
        *,
        list_filter(
            fields,
            lambda x: x['value'] != '' and case
                when x['type'] = 'empty' then true
                when x['type'] = 'direction' then x['value'] not in ('inbound', 'outbound')
                when x['type'] = 'time'
                    then not coalesce(
                        read_time(x['value'], null) between earliest and latest, false
                    )
                when x['type'] = 'end'
                    then not coalesce(
                        read_time(x['value'], null) between event_at and latest, false
                    )
                when x['type'] = 'seconds'
                    then coalesce(try_cast(x['value'] as decimal(12, 3)) < 0, true)
                when x['type'] = 'boolean' then try_cast(x['value'] as boolean) is null
                when x['type'] = 'outcome' then not list_contains(outcomes, x['value'])
                when x['type'] = 'charge type' then x['value'] != 'per_minute'
                when x['type'] = 'distribution' then x['value'] not in ('acd', 'non_acd')
                when x['type'] = 'country' then country is null
                when x['type'] = 'type'
                    then not regexp_full_match(
                        x['value'], '(external|internal)_(conference_|callback_)?call'
                    )
                when x['type'] = 'sub type'
                    then not regexp_full_match(
                        x['value'],
                        '(external|internal)_(warm|direct)_(conference|transfer)_call'
                        || '|flow_initiated_outgoing_call'
                    )
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
            lambda x: struct_pack(field := x['field'], value := x['value'])
        )
    ) as unmapped_values
from checked
