-- One row per voice session and field that only EvoVoice has: the line and device it came
-- by, and the carrier's ids with which its own records of the call can be found.
-- @key account, vendor_call_id, attribute, item_no
with sent as (
    select
        account,
        record_id as vendor_call_id,
        unnest([
            struct_pack(attribute := 'endpointId', value := session['endpointId']),
            struct_pack(attribute := 'endpointName', value := session['endpointName']),
            struct_pack(attribute := 'holdReason', value := session['holdReason']),
            struct_pack(attribute := 'holdQueueName', value := session['holdQueueName']),
            struct_pack(attribute := 'callSid', value := session['callSid']),
            struct_pack(attribute := 'conferenceSid', value := session['conferenceSid'])
        ]) as field
    from staging.evovoice__sessions
    where is_call
)

select
    account,
    vendor_call_id,
    field['attribute'] as attribute,
    1::integer as item_no,
    field['value'] as value
from sent
where field['value'] != ''
