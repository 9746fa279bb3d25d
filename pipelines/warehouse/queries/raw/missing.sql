-- One row per living record that a run has not seen: its newest version lies in what
-- was read, and was not stored by that run. One that came from the window of the day
-- before or after may be listed only there, by a zone or a field of its vendor's own:
-- then `is_listed_here` tells whether that window was read too. One at a bound is listed
-- by both days: if the other was read to its end in an earlier run, it is not read again.
select
    newest.account,
    newest.record_id,
    newest.event_at,
    listed.account is not null
    or abs(date_diff('day', newest.window_from, newest.event_at)) != 1
    or newest.event_at between newest.window_from - interval 1 second
    and date_trunc('day', newest.window_from) + interval 1 day + interval 1 second
        as is_listed_here
from newest
semi join spans
    on
        newest.account = spans.account
        and newest.event_at >= spans.start
        and newest.event_at < spans.end
left join spans as listed
    on
        newest.account = listed.account
        and newest.window_from >= listed.start
        and newest.window_from < listed.end
where
    newest.payload is not null
    and newest.load_no < getvariable('since')
order by newest.account, newest.event_at, newest.record_id
