-- Calls without a duration, which have not ended, or without their analysis.
select
    account,
    record_id
from latest
where
    coalesce(
        json_extract_string(payload, '$.duration'),
        json_extract_string(payload, '$.duration_ms'),
        json_extract_string(payload, '$.metadata.duration')
    ) is null
    or json_extract_string(payload, '$.voicemail') is null
