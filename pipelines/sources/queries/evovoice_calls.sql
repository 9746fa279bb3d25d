-- Sessions that are calls: chats and faxes are none, a channel nobody knows may be one.
select
    account,
    record_id,
    event_at
from latest
where
    coalesce(json_extract_string(payload, '$.channel'), '')
    not in ('Chat', '1', 'Fax', '2')
