-- Voice sessions that have not ended; chats and faxes are no calls.
select
    account,
    record_id
from latest
where
    json_extract_string(payload, '$.channel') in ('Voice', '0')
    and not coalesce(
        try_cast(json_extract_string(payload, '$.ended') as boolean),
        json_extract_string(payload, '$.dateCompleted') is not null
    )
