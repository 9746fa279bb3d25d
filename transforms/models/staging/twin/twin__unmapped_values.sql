-- One row per TWIN call: the values of its record that nothing here can use.
-- @key account, vendor_call_id
-- @not_null unmapped_values
with sessions as (
    select
        sessions.*,
        words.outcome
    from staging.twin__sessions as sessions
    left join seeds.outcomes as words
        on words.vendor = 'twin' and sessions.record['status'] = words.vendor_outcome
)

select
    account,
    record_id as vendor_call_id,
    list_concat(
        unmapped_values,
        list_filter(
            [
                ('status', if(outcome is null, record['status'], null)),
                (
                    'hungUpBy',
                    if(
                        record['hungUpBy'] not in ('client', 'bot', 'robot', 'operator'),
                        record['hungUpBy'],
                        null
                    )
                ),
                (
                    'depersonalized',
                    if(
                        try_cast(record['depersonalized'] as boolean) is null,
                        record['depersonalized'],
                        null
                    )
                ),
                (
                    'markers',
                    if(
                        left(record['markers'], 1) = '{' and json_valid(record['markers']),
                        record['markers'],
                        null
                    )
                ),
                ('startedAt', if(started_at is null, record['startedAt'], null)),
                ('finishedAt', if(finished_at is null, record['finishedAt'], null)),
                ('updatedAt', if(updated_at is null, record['updatedAt'], null)),
                ('billedAt', if(billed_at is null, record['billedAt'], null))
            ]::struct(field varchar, value varchar)[],
            lambda x: x['value'] != ''
        ),
        list_filter(
            [
                ('duration', record['duration']),
                ('mainCallDuration', record['mainCallDuration']),
                ('autoCallDuration', record['autoCallDuration']),
                ('robotCallDuration', record['robotCallDuration']),
                ('transferCallDuration', record['transferCallDuration']),
                ('aiCallDuration', record['aiCallDuration'])
            ]::struct(field varchar, value varchar)[],
            lambda x: x['value'] != ''
            and coalesce(try_cast(x['value'] as decimal(12, 3)) < 0, true)
        ),
        list_filter(
            [
                ('totalCost', record['totalCost']),
                ('mainCallCost', record['mainCallCost']),
                ('mainCallDiscount', record['mainCallDiscount']),
                ('mainCallTotalCost', record['mainCallTotalCost']),
                ('autoCallCost', record['autoCallCost']),
                ('autoCallDiscount', record['autoCallDiscount']),
                ('autoCallTotalCost', record['autoCallTotalCost']),
                ('robotCallCost', record['robotCallCost']),
                ('robotCallDiscount', record['robotCallDiscount']),
                ('robotCallTotalCost', record['robotCallTotalCost']),
                ('transferCallCost', record['transferCallCost']),
                ('transferCallDiscount', record['transferCallDiscount']),
                ('transferCallTotalCost', record['transferCallTotalCost']),
                ('aiCallCost', record['aiCallCost']),
                ('aiCallTotalCost', record['aiCallTotalCost']),
                ('aiCallLlmTotalCost', record['aiCallLlmTotalCost']),
                ('aiCallTtsTotalCost', record['aiCallTtsTotalCost']),
                ('aiCallSttTotalCost', record['aiCallSttTotalCost'])
            ]::struct(field varchar, value varchar)[],
            lambda x: x['value'] != ''
            and coalesce(
                try_cast(x['value'] as decimal(15, 6)) = 0
                and try_cast(x['value'] as double) != 0,
                true
            )
        ),
        list_filter(
            [
                ('callId', record['callId']),
                ('number', record['number']),
                ('callingNumber', record['callingNumber']),
                ('recordPath', record['recordPath']),
                ('emotion', record['emotion']),
                ('nps', record['nps']),
                ('companyId', record['companyId']),
                ('currentStatusName', record['currentStatusName']),
                ('isAssistantRequest', record['isAssistantRequest']),
                ('regionName', record['regionName']),
                ('timezone', record['timezone']),
                ('externalId', record['externalId'])
            ]::struct(field varchar, value varchar)[],
            lambda x: left(x['value'], 1) in ('{', '[') and json_valid(x['value'])
        )
    ) as unmapped_values
from sessions
