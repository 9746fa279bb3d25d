-- One row per Zoom engagement, field that only Zoom has, and value. A value in a list has the
-- place in it as its number, one of a leg the number of the leg.
-- @key account, vendor_call_id, attribute, item_no
with parts as (
    select
        parts.account,
        parts.record_id as vendor_call_id,
        parts.record
    from staging.zoom__engagements as parts
    inner join staging.zoom__voice_calls as calls
        on parts.account = calls.account and parts.record_id = calls.record_id
),

fields as (
    select
        account,
        record_id as vendor_call_id,
        -- By the name of the reference, else by that in its description.
        coalesce(record['session_border_controller_list'], record['sbcInfos']) as controllers,
        unnest(
            [
                ('types', record['types']),
                ('sub_types', record['sub_types']),
                ('call_legs', record['call_legs']),
                ('distributions', record['distributions']),
                ('caller_number_type', [record['caller_number_type']]),
                ('callee_number_type', [record['callee_number_type']]),
                ('caller_id', [record['caller_id']]),
                ('calling_party', [record['calling_party']]),
                ('charge_type', [record['charge_type']]),
                ('monitored', [record['monitored']]),
                ('flows.flow_id', list_transform(record['flows'], lambda x: x['flow_id'])),
                ('flows.flow_name', list_transform(record['flows'], lambda x: x['flow_name'])),
                (
                    'agents.user_region',
                    list_transform(record['agents'], lambda x: x['user_region'])
                ),
                (
                    'agents.team_names',
                    list_transform(record['agents'], lambda x: nullif(x['team_names'], '[]'))
                ),
                (
                    'session_border_controller_list.session_border_controller_name',
                    list_transform(
                        controllers, lambda x: x['session_border_controller_name']
                    )
                ),
                (
                    'session_border_controller_list.consumer_zoom_trunk_name',
                    list_transform(controllers, lambda x: x['consumer_zoom_trunk_name'])
                )
            ]::struct(attribute varchar, items varchar[])[]
        ) as field
    from staging.zoom__voice_calls
    union all
    select
        account,
        vendor_call_id,
        null as controllers,
        unnest(
            [
                ('queue_wait_type', [record['queue_wait_type']]),
                ('transferCount', [record['transferCount']]),
                ('survey_id', [record['survey_id']]),
                (
                    'channels.channel',
                    list_transform(record['channels'], lambda x: x['channel'])
                ),
                (
                    'channels.channel_source',
                    list_transform(record['channels'], lambda x: x['channel_source'])
                )
            ]::struct(attribute varchar, items varchar[])[]
        ) as field
    from parts
),

fields_of_legs as (
    select
        account,
        vendor_call_id,
        leg_no,
        unnest(
            [
                ('voice_call_details.distribution', leg['distribution']),
                ('voice_call_details.rate', leg['rate']),
                ('voice_call_details.queue.cc_queue_id', leg['queue']['cc_queue_id']),
                ('voice_call_details.queue.queue_name', leg['queue']['queue_name']),
                ('voice_call_details.flow.flow_id', leg['flow']['flow_id'])
            ]::struct(attribute varchar, value varchar)[]
        ) as field
    from staging.zoom__details
),

items as (
    select
        account,
        vendor_call_id,
        field['attribute'] as attribute,
        generate_subscripts(field['items'], 1)::integer as item_no,
        unnest(field['items']) as value
    from fields
    union all
    select
        account,
        vendor_call_id,
        field['attribute'] as attribute,
        leg_no as item_no,
        field['value'] as value
    from fields_of_legs
)

select *
from items
where value != ''
