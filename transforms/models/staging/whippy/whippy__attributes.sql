-- One row per Whippy call and field that only Whippy has.
-- @key account, vendor_call_id, attribute, item_no
with named as (
    select
        account,
        record_id as vendor_call_id,
        unnest([
            { 'attribute': 'mode', 'value': record['mode'] },
            { 'attribute': 'agent_version_id', 'value': record['agent_version_id'] },
            { 'attribute': 'conversation_id', 'value': record['conversation_id'] }
        ]) as given
    from staging.whippy__records
)

select
    account,
    vendor_call_id,
    given['attribute'] as attribute,
    1::integer as item_no,
    given['value'] as value
from named
where given['value'] != ''
