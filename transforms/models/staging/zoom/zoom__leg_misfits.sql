-- One row per leg of a Zoom engagement: its words without a mapping, and its values of
-- another type, as pairs of field and value.
with legs as (
    select
        account,
        record_id,
        timestamptz '2000-01-01 00:00:00Z' as earliest,
        last_loaded_at + interval 1 day as latest,
        unnest(record['voice_call_details']) as leg
    from staging.zoom__voice_calls
),

checked as (
    select
        legs.*,
        coalesce(
            legs.leg['call_leg'], legs.leg['type'], legs.leg['rate'], legs.leg['charge'],
            legs.leg['start_time'], legs.leg['end_time'], legs.leg['total_duration'],
            legs.leg['caller_number'], legs.leg['callee_number'], legs.leg['result']
        ) is null and legs.leg['flow'] is null and legs.leg['agents'] is null as is_empty,
        coalesce(legs.leg['call_leg'] in ('inbound', 'outbound'), false) as has_direction,
        regexp_full_match(
            legs.leg['type'], '(external|internal)_(conference_|callback_)?call'
        ) as has_type,
        read_time(legs.leg['start_time'], null)
        between legs.earliest and legs.latest as has_start,
        read_time(legs.leg['end_time'], null)
        between legs.earliest and legs.latest as has_end,
        try_cast(legs.leg['total_duration'] as decimal(12, 3)) >= 0 as has_seconds,
        words.outcome is not null as has_outcome,
        prices.is_unreadable and legs.leg['charge'] != '-' as is_unpriced,
        prices.contrary_symbol
    from legs
    left join seeds.outcomes as words
        on words.vendor = 'zoom' and legs.leg['result'] = words.vendor_outcome
    left join staging.zoom__prices as prices
        on legs.account = prices.account and legs.leg['charge'] = prices.charge
)

select
    account,
    record_id,
    list_concat(
        [
            ('', if(is_empty, 'empty', null)),
            ('call_leg', if(has_direction, null, leg['call_leg'])),
            ('type', if(has_type, null, leg['type'])),
            -- Legs are numbered by their start, so that its absence tells.
            (
                'start_time',
                if(has_start, null, coalesce(nullif(leg['start_time'], ''), 'missing'))
            ),
            ('end_time', if(has_end, null, leg['end_time'])),
            ('total_duration', if(has_seconds, null, leg['total_duration'])),
            ('result', if(has_outcome, null, leg['result'])),
            ('charge', if(is_unpriced, leg['charge'], null)),
            ('charge symbol', contrary_symbol)
        ],
        list_filter(
            list_concat(
                flatten(
                    list_transform(
                        leg['agents'],
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
                [
                    ('caller_number', leg['caller_number']),
                    ('callee_number', leg['callee_number'])
                ]
            ),
            lambda x: left(x[2], 1) in ('{', '[') and json_valid(x[2])
        )
    )::struct(field varchar, value varchar)[] as pairs
from checked
