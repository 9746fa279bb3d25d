-- One row per UTC month, account and category of the carrier's usage, as last read.
-- Categories contain each other: calls has calls-inbound, which may have more below it. The
-- dates of a record are those that were asked for; its numbers may be texts.
-- @reference
-- @key account, vendor_account, month, category
with newest as (
    select
        account,
        payload ->> '$.AccountId' as vendor_account,
        try_cast(payload ->> '$.StartDate' as date) as month,
        from_json(
            json_extract(payload, '$.usage'),
            '[{
                "category": "VARCHAR", "description": "VARCHAR", "count": "VARCHAR",
                "countUnit": "VARCHAR", "usage": "VARCHAR", "usageUnit": "VARCHAR",
                "price": "VARCHAR", "priceUnit": "VARCHAR"
            }]'
        ) as entries,
        fetched_at
    from raw.evovoice__billing_usage
    qualify row_number() over (
        partition by account, record_id order by load_no desc, fetched_at desc
    ) = 1
),

opened as (
    select
        account,
        vendor_account,
        month,
        fetched_at,
        unnest(entries) as entry
    from newest
)

select
    account,
    vendor_account,
    month,
    entry['category'] as category,
    nullif(entry['description'], '') as description,
    case entry['category']
        when 'calls' then 'all'
        when 'calls-inbound' then 'inbound'
        when 'calls-outbound' then 'outbound'
    end as direction,
    try_cast(entry['count'] as decimal(24, 6)) as usage_count,
    nullif(entry['countUnit'], '') as usage_count_unit,
    try_cast(entry['usage'] as decimal(24, 6)) as quantity,
    nullif(entry['usageUnit'], '') as unit,
    try_cast(entry['price'] as decimal(24, 6)) as price,
    upper(nullif(entry['priceUnit'], '')) as currency,
    fetched_at as read_at
from opened
where entry['category'] != ''
qualify row_number() over (
    partition by account, vendor_account, month, category order by quantity desc nulls last
) = 1
