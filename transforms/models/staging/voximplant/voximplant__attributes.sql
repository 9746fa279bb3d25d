-- One row per Voximplant session and value of a field that only Voximplant has. Of a leg, a
-- record or a resource, item_no is the line_no of its cost; a leg's is also its leg_no.
-- @key account, vendor_call_id, attribute, item_no
with lines as (
    select
        account,
        vendor_call_id,
        line_no as item_no,
        unnest([
            ('calls.direction', leg['direction']),
            ('calls.remote_number_type', leg['remote_number_type']),
            ('calls.diversion_number', leg['diversion_number']),
            ('calls.custom_data', leg['custom_data']),
            ('records.file_size', recording['file_size']),
            ('records.transcription_status', recording['transcription_status']),
            ('other_resource_usage.description', resource['description'])
        ]::struct(attribute varchar, value varchar)[]) as sent
    from staging.voximplant__lines
),

sessions as (
    select
        account,
        record_id as vendor_call_id,
        1::integer as item_no,
        unnest([
            ('user_id', record['user_id']),
            ('custom_data', record['custom_data']),
            ('audio_quality', record['audio_quality'])
        ]::struct(attribute varchar, value varchar)[]) as sent
    from staging.voximplant__call_sessions
),

fields as (
    from sessions
    union all
    from lines
)

select
    account,
    vendor_call_id,
    sent['attribute'] as attribute,
    item_no,
    sent['value'] as value
from fields
where sent['value'] != ''
