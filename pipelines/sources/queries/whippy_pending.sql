-- Calls without a duration, which have not ended, or without their analysis.
-- All paths at once: a payload is parsed once, and memory is taken once.
with opened as (
    select
        account,
        record_id,
        json_extract_string(
            payload,
            ['$.duration', '$.duration_ms', '$.metadata.duration', '$.voicemail']
        ) as found
    from latest
)

select
    account,
    record_id
from opened
where coalesce(found[1], found[2], found[3]) is null or found[4] is null
