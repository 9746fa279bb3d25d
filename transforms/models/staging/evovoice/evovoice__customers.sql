-- One row per version of a customer that has or had prices of its own: whether they are in
-- force, and its price list.
-- @reference
-- @key account, record_id, fetched_at
with opened as (
    select
        *,
        payload ->> '$.overrideBillingSettings' as overriding
    from raw.evovoice__customers
),

read as (
    select
        account,
        record_id,
        nullif(payload ->> '$.accountId', '') as account_id,
        coalesce(try_cast(overriding as boolean), false) as has_own_prices,
        json_extract(payload, '$.billingSettings') as settings,
        list_filter(
            [struct_pack(field := 'overrideBillingSettings', value := overriding)],
            lambda x: x['value'] != '' and try_cast(x['value'] as boolean) is null
        ) as unmapped_values,
        fetched_at,
        load_no
    from opened
)

select *
from read
window versions as (partition by account, record_id order by fetched_at)
-- A version in which something else changed changes no price.
qualify
    bool_or(has_own_prices or len(unmapped_values) > 0)
        over (partition by account, record_id)
    and (
        row_number() over versions = 1
        or struct_pack(a := has_own_prices, b := settings, c := unmapped_values)
        is distinct from
        lag(struct_pack(a := has_own_prices, b := settings, c := unmapped_values))
            over versions
    )
