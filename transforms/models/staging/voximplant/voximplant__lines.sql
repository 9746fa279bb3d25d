-- One row per entry of calls, records and other_resource_usage of a Voximplant session.
-- Its number is that of its cost line; a leg's is also its leg_no.
-- @key account, vendor_call_id, line_no
-- @not_null section
with lines as (
    select
        account,
        record_id as vendor_call_id,
        unnest(
            list_concat(
                list_transform(
                    record['calls'],
                    lambda x: struct_pack(
                        section := 1, id := x['call_id'], at := x['start_time'],
                        leg := x, recording := null, resource := null
                    )
                ),
                list_transform(
                    record['records'],
                    lambda x: struct_pack(
                        section := 2, id := x['record_id'], at := x['start_time'],
                        leg := null, recording := x, resource := null
                    )
                ),
                list_transform(
                    record['other_resource_usage'],
                    lambda x: struct_pack(
                        section := 3, id := x['resource_usage_id'], at := x['used_at'],
                        leg := null, recording := null, resource := x
                    )
                )
            )
        ) as line
    from staging.voximplant__call_sessions
)

select
    account,
    vendor_call_id,
    row_number() over (
        partition by account, vendor_call_id
        order by
            line['section'] asc,
            line['at'] asc nulls last,
            try_cast(line['id'] as hugeint) asc nulls last,
            line['id'] asc
    )::integer as line_no,
    line['section'] as section,
    line['id'] as id,
    line['leg'] as leg,
    line['recording'] as recording,
    line['resource'] as resource
from lines
