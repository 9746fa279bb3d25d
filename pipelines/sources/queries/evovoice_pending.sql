-- Voice sessions that have not ended; chats and faxes are no calls.
with opened as (
    select
        account,
        record_id,
        json_extract_string(payload, ['$.channel', '$.ended', '$.dateCompleted']) as found
    from latest
)

select
    account,
    record_id
from opened
where
    found[1] in ('Voice', '0')
    and not coalesce(try_cast(found[2] as boolean), found[3] is not null)
