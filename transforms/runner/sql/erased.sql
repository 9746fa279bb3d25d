-- inputs.erased: the records of which a version has the mark that callhouse erase puts there, or
-- the removal of what is older than [privacy] raw_days: `is_removed`. A version is parsed only if
-- it has the name of the mark somewhere.
with marked as (
    select
        vendor,
        account,
        record_id,
        case
            when contains(payload, 'callhouse_erased')
                then json_extract_string(payload, '$.callhouse_erased')
        end as mark
    from {stored} as stored
)

select
    vendor,
    account,
    record_id,
    bool_and(mark = 'age') as is_removed
from marked
where mark in ('true', 'age')
group by all
