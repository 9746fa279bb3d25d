-- One row per Zoom engagement and field of its own that holds a word without a mapping,
-- or a value of another type; and per amount in a currency's symbol that contradicts
-- the configured currency.
with checked as (
    select
        calls.account,
        calls.record_id,
        calls.record,
        coalesce(calls.record['direction'] in ('inbound', 'outbound'), false) as has_direction,
        read_time(calls.record['end_time'], null)
        between calls.event_at and calls.last_loaded_at + interval 1 day as has_end,
        try_cast(calls.record['total_duration'] as decimal(12, 3)) >= 0 as has_seconds,
        words.outcome is not null as has_outcome,
        prices.is_unreadable and calls.record['charge'] != '-' as is_unpriced,
        prices.contrary_symbol
    from staging.zoom__voice_calls as calls
    left join seeds.outcomes as words
        on words.vendor = 'zoom' and calls.record['result'] = words.vendor_outcome
    left join staging.zoom__prices as prices
        on calls.account = prices.account and calls.record['charge'] = prices.charge
)

select
    account,
    record_id,
    list_concat(
        [
            ('direction', if(has_direction, null, record['direction'])),
            ('end_time', if(has_end, null, record['end_time'])),
            ('total_duration', if(has_seconds, null, record['total_duration'])),
            ('result', if(has_outcome, null, record['result'])),
            ('charge', if(is_unpriced, record['charge'], null)),
            ('charge symbol', contrary_symbol),
            ('charge_type', nullif(record['charge_type'], 'per_minute')),
            (
                'recorded',
                if(try_cast(record['recorded'] as boolean) is null, record['recorded'], null)
            ),
            ('inbox', if(try_cast(record['inbox'] as boolean) is null, record['inbox'], null))
        ],
        list_transform(
            list_filter(
                record['sub_types'],
                lambda x: not regexp_full_match(
                    x,
                    '(external|internal)_(warm|direct)_(conference|transfer)_call'
                    || '|flow_initiated_outgoing_call'
                )
            ),
            lambda x: ('sub_types', x)
        ),
        list_filter(
            list_concat(
                flatten(
                    list_transform(
                        record['agents'],
                        lambda x: [
                            (
                                'agents',
                                if(coalesce(x['user_id'], x['display_name']) is null, '{}', null)
                            ),
                            ('agents.user_id', x['user_id']),
                            ('agents.display_name', x['display_name'])
                        ]
                    )
                ),
                flatten(
                    list_transform(
                        record['queues'],
                        lambda x: [
                            (
                                'queues',
                                if(
                                    coalesce(x['queue_id'], x['cc_queue_id'], x['queue_name'])
                                    is null,
                                    '{}',
                                    null
                                )
                            ),
                            ('queues.queue_id', x['queue_id']),
                            ('queues.cc_queue_id', x['cc_queue_id']),
                            ('queues.queue_name', x['queue_name'])
                        ]
                    )
                ),
                [
                    ('caller_number', record['caller_number']),
                    ('callee_number', record['callee_number']),
                    ('consumer_number', record['consumer_number'])
                ]
            ),
            lambda x: left(x[2], 1) in ('{', '[') and json_valid(x[2])
        )
    )::struct(field varchar, value varchar)[] as pairs
from checked
