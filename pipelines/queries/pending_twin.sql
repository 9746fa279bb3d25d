-- Calls that have not ended or are not billed.
select
    account,
    record_id
from latest
where
    coalesce(json_extract_string(payload, '$.finishedAt'), '') = ''
    or coalesce(json_extract_string(payload, '$.billedAt'), '') = ''
