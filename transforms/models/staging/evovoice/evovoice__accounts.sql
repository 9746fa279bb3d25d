-- One row per version of an account and voice item of its price list.
-- All versions stay, for a month is rated with the one in effect then.
-- @reference
-- @key account, record_id, fetched_at, item
-- @unused id, name, parentAccountId, twilioAccountSid, ancestorIds, maxPhoneNumbers,
--     isBYOA, trustHubProfileSid, logoId, logoUri, dateCreated, dateLastModified,
--     createdBy, lastModifiedBy, billingSettings.localNumbers,
--     billingSettings.tollFreeNumbers, billingSettings.inboundFaxes,
--     billingSettings.outboundFaxes, billingSettings.inboundSmsMessages,
--     billingSettings.outboundSmsMessages, billingSettings.aIInsights,
--     billingSettings.aiInsights, billingSettings.aILiveMinutes,
--     billingSettings.aiLiveMinutes
with opened as (
    select
        *,
        from_json(
            payload,
            '{
                "billingSettings": {
                    "inboundVoiceCalls": {
                        "baseCost": "VARCHAR", "rawUnitMultiplier": "VARCHAR",
                        "unitCost": "VARCHAR", "allowance": "VARCHAR"
                    },
                    "outboundVoiceCalls": {
                        "baseCost": "VARCHAR", "rawUnitMultiplier": "VARCHAR",
                        "unitCost": "VARCHAR", "allowance": "VARCHAR"
                    }
                }
            }'
        )['billingSettings'] as settings
    from raw.evovoice__accounts
),

items as (
    select
        *,
        unnest(['inboundVoiceCalls', 'outboundVoiceCalls']) as item,
        unnest([settings['inboundVoiceCalls'], settings['outboundVoiceCalls']]) as price
    from opened
),

priced as (
    select
        *,
        -- The framework may leave a 0 out: a multiplier of 0 counts as none, and no
        -- allowance as one of 0. What is there and is not a number leaves calls unrated.
        [
            price['baseCost'],
            price['unitCost'],
            coalesce(nullif(price['rawUnitMultiplier'], ''), '0'),
            coalesce(nullif(price['allowance'], ''), '0'),
            nullif(json_type(payload, '$.billingSettings.' || item), 'OBJECT'),
            nullif(json_type(payload, '$.billingSettings'), 'OBJECT')
        ] as sent,
        [
            item || '.baseCost', item || '.unitCost', item || '.rawUnitMultiplier',
            item || '.allowance', item, null
        ] as fields,
        list_transform(
            sent,
            lambda x: case
                when try_cast(x as decimal(15, 6)) > 0 or try_cast(x as double) = 0
                    then try_cast(x as decimal(15, 6))
            end
        ) as numbers
    from items
)

select
    account,
    record_id,
    item,
    numbers[1] as base_cost,
    if(
        try_cast(payload ->> '$.billingSettings.base.baseCost' as decimal(15, 6)) >= 0,
        try_cast(payload ->> '$.billingSettings.base.baseCost' as decimal(15, 6)),
        null
    ) as account_base_cost,
    numbers[2] as unit_cost,
    numbers[3] as raw_unit_multiplier,
    numbers[4] as allowance,
    list_transform(
        list_filter(
            list_zip(fields, sent, numbers),
            lambda x: x[2] not in ('', 'NULL') and x[3] is null
        ),
        lambda x: struct_pack(field := concat_ws('.', 'billingSettings', x[1]), value := x[2])
    ) as unmapped_values,
    fetched_at,
    load_no
from priced
