-- One row per version of an account: whose carrier it uses, and its price list.
-- All versions stay, for a month is rated with the one in effect then.
-- @reference
-- @key account, record_id, fetched_at
with opened as (
    select
        *,
        payload ->> '$.isBYOA' as byoa
    from raw.evovoice__accounts
),

read as (
    select
        account,
        record_id,
        coalesce(try_cast(byoa as boolean), false) as is_byoa,
        json_extract(payload, '$.billingSettings') as settings,
        list_filter(
            [struct_pack(field := 'isBYOA', value := byoa)],
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
    row_number() over versions = 1
    or struct_pack(a := is_byoa, b := settings, c := unmapped_values)
    is distinct from
    lag(struct_pack(a := is_byoa, b := settings, c := unmapped_values)) over versions
