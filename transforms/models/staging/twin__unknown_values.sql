-- One row per TWIN call: its words without a mapping, and its values of another type.
-- @key account, vendor_call_id
-- @not_null unknown_values
with opened as (
    select
        sessions.account,
        sessions.record_id as vendor_call_id,
        words.outcome,
        map_entries(
            from_json(to_json(sessions.record), '"MAP(VARCHAR, VARCHAR)"')
        ) as fields
    from staging.twin__sessions as sessions
    left join seeds.outcomes as words
        on words.vendor = 'twin' and sessions.record['status'] = words.vendor_outcome
)

select
    account,
    vendor_call_id,
    list_transform(
        list_filter(
            fields,
            lambda x: x['value'] != '' and case
                when x['key'] = 'status' then outcome is null
                when x['key'] = 'hungUpBy'
                    then x['value'] not in ('client', 'bot', 'robot', 'operator')
                when x['key'] = 'depersonalized'
                    then try_cast(x['value'] as boolean) is null
                when x['key'] = 'duration' or x['key'] like '%Duration'
                    then coalesce(try_cast(x['value'] as decimal(12, 3)) < 0, true)
                when x['key'] like '%Cost' or x['key'] like '%Discount'
                    then try_cast(x['value'] as decimal(18, 6)) is null
                when x['key'] like '%At'
                    then try_cast(x['value'] as timestamptz) is null
                else false
            end
        ),
        lambda x: struct_pack(field := x['key'], value := x['value'])
    ) as unknown_values
from opened
