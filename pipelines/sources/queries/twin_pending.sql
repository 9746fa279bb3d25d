-- Calls that have not ended or are not billed. Where `fields` leaves a date out, the
-- length and the price show. All paths at once: a payload is parsed once.
with opened as (
    select
        account,
        record_id,
        json_extract(
            payload, ['$.finishedAt', '$.duration', '$.billedAt', '$.totalCost']
        ) as found
    from latest
),

-- NULL: the record has no such key.
shown as (
    select
        account,
        record_id,
        found[1] in ('null', '""') as is_unfinished,
        coalesce(found[2] in ('null', '""'), true) as has_no_length,
        found[3] in ('null', '""') as is_unbilled,
        coalesce(try_cast(trim(found[4], '"') as double), 0) = 0 as has_no_price
    from opened
)

select
    account,
    record_id
from shown
where
    coalesce(is_unfinished, has_no_length)
    or coalesce(is_unbilled, has_no_price)
