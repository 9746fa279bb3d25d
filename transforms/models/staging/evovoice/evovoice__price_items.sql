-- One row per version of a price list and item of it, every item that the vendor sends. The
-- items that calls are rated by, and base, have a row though they were not sent.
-- @key account, owner_kind, owner_id, fetched_at, item
with keyed as (
    select
        *,
        unnest(list_distinct(list_concat(
            ['base', 'inboundVoiceCalls', 'outboundVoiceCalls'],
            json_keys(settings)
        ))) as sent_as
    from staging.evovoice__price_owners
),

named as (
    select
        *,
        -- How the framework writes AI items is not certain (evovoice.md, section 8).
        coalesce(
            list_filter(
                [
                    'base', 'localNumbers', 'tollFreeNumbers', 'inboundVoiceCalls',
                    'outboundVoiceCalls', 'inboundFaxes', 'outboundFaxes',
                    'inboundSmsMessages', 'outboundSmsMessages', 'aIInsights',
                    'aILiveMinutes', 'aIMessages'
                ],
                lambda x: lower(x) = lower(sent_as)
            )[1],
            sent_as
        ) as item,
        json_extract(
            settings, '/' || replace(replace(sent_as, '~', '~0'), '/', '~1')
        ) as found
    from keyed
    qualify row_number() over (
        partition by account, owner_kind, owner_id, fetched_at, item
        order by found is null, sent_as
    ) = 1
),

opened as (
    select
        *,
        from_json(
            found,
            '{
                "baseCost": "VARCHAR", "rawUnitMultiplier": "VARCHAR",
                "unitCost": "VARCHAR", "allowance": "VARCHAR"
            }'
        ) as price
    from named
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
            nullif(json_type(found), 'OBJECT'),
            nullif(json_type(settings), 'OBJECT')
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
    from opened
)

select
    account,
    owner_kind,
    owner_id,
    account_id,
    is_in_force,
    item,
    found is not null as is_sent,
    item in ('inboundVoiceCalls', 'outboundVoiceCalls') as is_of_calls,
    numbers[1] as base_cost,
    numbers[2] as unit_cost,
    numbers[3] as raw_unit_multiplier,
    if(item = 'base', null, numbers[4]) as allowance,
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
