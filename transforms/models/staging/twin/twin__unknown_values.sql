-- One row per TWIN call: its words without a mapping, and its values of another type.
-- An object where a text is due stays in the text's column; told of it is only that it
-- is one.
-- @key account, vendor_call_id
-- @not_null unknown_values
with opened as (
    select
        sessions.*,
        words.outcome,
        list_append(
            map_entries(from_json(to_json(sessions.record), '"MAP(VARCHAR, VARCHAR)"')),
            { 'key': 'a key', 'value': sessions.repeated_key }
        ) as fields
    from staging.twin__sessions as sessions
    left join seeds.outcomes as words
        on words.vendor = 'twin' and sessions.record['status'] = words.vendor_outcome
)

select
    account,
    record_id as vendor_call_id,
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
                    then coalesce(
                        try_cast(x['value'] as decimal(15, 6)) = 0
                        and try_cast(x['value'] as double) != 0,
                        true
                    )
                when x['key'] = 'startedAt' then started_at is null
                when x['key'] = 'finishedAt' then finished_at is null
                when x['key'] = 'updatedAt' then updated_at is null
                when x['key'] = 'billedAt' then billed_at is null
                else
                    x['key'] = 'a key'
                    or (left(x['value'], 1) in ('{', '[') and json_valid(x['value']))
            end
        ),
        lambda x: struct_pack(
            field := x['key'],
            value := if(left(x['value'], 1) in ('{', '['), 'no scalar', x['value'])
        )
    ) as unknown_values
from opened
