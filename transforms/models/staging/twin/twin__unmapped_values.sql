-- One row per TWIN call: the values of its record that nothing here can use.
-- @key account, vendor_call_id
-- @not_null unmapped_values
with sessions as (
    select
        sessions.*,
        words.outcome,
        map_entries(from_json(to_json(sessions.record), '"MAP(VARCHAR, VARCHAR)"')) as fields
    from staging.twin__sessions as sessions
    left join seeds.outcomes as words
        on words.vendor = 'twin' and sessions.record['status'] = words.vendor_outcome
)

select
    account,
    record_id as vendor_call_id,
    list_concat(
        unmapped_values,
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
                    when x['key'] = 'markers'
                        then left(x['value'], 1) = '{' and json_valid(x['value'])
                    when x['key'] = 'startedAt' then started_at is null
                    when x['key'] = 'finishedAt' then finished_at is null
                    when x['key'] = 'updatedAt' then updated_at is null
                    when x['key'] = 'billedAt' then billed_at is null
                    else left(x['value'], 1) in ('{', '[') and json_valid(x['value'])
                end
            ),
            lambda x: struct_pack(field := x['key'], value := x['value'])
        )
    ) as unmapped_values
from sessions
