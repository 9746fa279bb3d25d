-- When the records to rebuild began, without reading their payloads.
select
    min(event_at)::varchar,
    max(event_at)::varchar
from {table}
