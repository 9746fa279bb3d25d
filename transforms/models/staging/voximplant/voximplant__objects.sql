-- One row per Voximplant session: in its legs, records and resources, the objects where a
-- text is due.
with texts as (
    select
        account,
        record_id,
        list_concat(
            flatten(
                list_transform(
                    record['calls'],
                    lambda x: [
                        ('calls.call_id', x['call_id']),
                        ('calls.local_number', x['local_number']),
                        ('calls.remote_number', x['remote_number']),
                        ('calls.transaction_id', x['transaction_id'])
                    ]
                )
            ),
            flatten(
                list_transform(
                    record['records'],
                    lambda x: [
                        ('records.record_id', x['record_id']),
                        ('records.transaction_id', x['transaction_id'])
                    ]
                )
            ),
            flatten(
                list_transform(
                    record['other_resource_usage'],
                    lambda x: [
                        ('other_resource_usage.resource_usage_id', x['resource_usage_id']),
                        ('other_resource_usage.transaction_id', x['transaction_id']),
                        ('other_resource_usage.unit', x['unit'])
                    ]
                )
            )
        )::struct(field varchar, value varchar)[] as pairs
    from staging.voximplant__call_sessions
)

select
    account,
    record_id,
    list_filter(
        pairs, lambda x: left(x['value'], 1) in ('{', '[') and json_valid(x['value'])
    ) as pairs
from texts
