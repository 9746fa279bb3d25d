-- The UTC days that have records with a payload, from $1, which may be NULL, until $2.
select distinct date_trunc('day', event_at) as began_on
from raw.{raw_table}
where
    payload is not null
    and event_at >= coalesce($1::timestamptz, '-infinity')
    and event_at < $2::timestamptz
