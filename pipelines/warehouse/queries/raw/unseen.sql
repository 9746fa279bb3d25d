-- Records with a version in what was read that did not come as they are stored.
select distinct
    inside.account,
    inside.record_id
from inside
semi join spans
    on
        inside.account = spans.account
        and inside.event_at >= spans.start
        and inside.event_at < spans.end
anti join seen
    on hash(inside.account, inside.record_id) = seen.key
