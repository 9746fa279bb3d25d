-- One row per TWIN call and value of a field that only TWIN has; of `markers` one row each.
-- @key account, vendor_call_id, attribute, item_no
with named as (
    select
        account,
        record_id as vendor_call_id,
        unnest([
            { 'attribute': 'currentStatusName', 'value': record['currentStatusName'] },
            { 'attribute': 'isAssistantRequest', 'value': record['isAssistantRequest'] },
            { 'attribute': 'regionName', 'value': record['regionName'] },
            { 'attribute': 'timezone', 'value': record['timezone'] },
            { 'attribute': 'externalId', 'value': record['externalId'] },
            { 'attribute': 'markers', 'value': record['markers'] }
        ]) as given
    from staging.twin__sessions
),

listed as (
    select
        account,
        vendor_call_id,
        given['attribute'] as attribute,
        case
            when
                given['attribute'] = 'markers'
                and left(given['value'], 1) = '['
                and json_valid(given['value'])
                then json_extract_string(given['value'], '$[*]')
            else [given['value']]
        end as items
    from named
)

select
    account,
    vendor_call_id,
    attribute,
    generate_subscripts(items, 1)::integer as item_no,
    unnest(items) as value
from listed
where items != [''] and len(items) > 0
