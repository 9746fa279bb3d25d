-- One row per object of a Zoom engagement: itself, and what its lists hold, as opened.
-- What a list holds that is no object has nothing but NULL in it.
with parts as (
    select
        account,
        record_id,
        event_at,
        last_loaded_at,
        unnest(
            list_concat(
                [('', to_json(record)), ('', json_object('charge symbol', record['charge']))],
                list_transform(
                    list_filter(record['sub_types'], lambda x: x != ''),
                    lambda x: ('sub_types', json_object('', x))
                ),
                list_transform(record['queues'], lambda x: ('queues', to_json(x))),
                list_transform(record['agents'], lambda x: ('agents', to_json(x))),
                list_transform(
                    record['voice_call_details'], lambda x: ('voice_call_details', to_json(x))
                ),
                list_transform(
                    flatten(list_transform(record['voice_call_details'], lambda x: x['agents'])),
                    lambda x: ('voice_call_details.agents', to_json(x))
                )
            )
        ) as part
    from staging.zoom__voice_calls
)

select
    account,
    record_id,
    event_at,
    last_loaded_at,
    part[1] as place,
    from_json(part[2], '"MAP(VARCHAR, VARCHAR)"') as held
from parts
