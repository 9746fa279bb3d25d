-- One row per version of an account and voice item of its price list.
-- All versions stay, for a month is rated with the one in effect then.
-- @reference
-- @key account, record_id, fetched_at, item
-- @unused id, name, parentAccountId, twilioAccountSid, ancestorIds, maxPhoneNumbers,
--     isBYOA, trustHubProfileSid, logoId, logoUri, dateCreated, dateLastModified,
--     createdBy, lastModifiedBy, billingSettings.base, billingSettings.localNumbers,
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
)

select
    account,
    record_id,
    item,
    try_cast(price['baseCost'] as decimal(18, 6)) as base_cost,
    try_cast(price['unitCost'] as decimal(18, 6)) as unit_cost,
    -- The framework may leave a 0 out: a multiplier of 0 counts as none, and no
    -- allowance as one of 0. What is there and is no number leaves calls unrated.
    try_cast(
        coalesce(nullif(price['rawUnitMultiplier'], ''), '0') as decimal(18, 6)
    ) as raw_unit_multiplier,
    try_cast(coalesce(price['allowance'], '0') as decimal(18, 6)) as allowance,
    fetched_at
from items
where price is not null
