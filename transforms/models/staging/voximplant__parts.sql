-- One row per object of a Voximplant session: itself, and what its lists hold, as opened.
-- What a list holds that is no object has nothing but NULL in it, or is `null`.
with parts as (
    select
        account,
        record_id,
        last_loaded_at,
        unnest(
            list_concat(
                [('', to_json(record)), ('', json_object('currency', 'missing'))],
                list_transform(record['calls'], lambda x: ('calls', to_json(x))),
                list_transform(
                    record['calls'],
                    lambda x: (
                        'calls.end_reason', json_object('code', x['end_reason']['code'])
                    )
                ),
                list_transform(record['records'], lambda x: ('records', to_json(x))),
                list_transform(
                    record['other_resource_usage'],
                    lambda x: ('other_resource_usage', to_json(x))
                )
            )
        ) as part
    from staging.voximplant__call_sessions
)

select
    account,
    record_id,
    last_loaded_at,
    part[1] as place,
    from_json(coalesce(part[2], '{"null": "missing"}'), '"MAP(VARCHAR, VARCHAR)"') as held
from parts
