-- One row per living record that a run has not seen: its newest version lies in what
-- was read, and was not stored by that run. One that came from the window of the day
-- before or after is listed there, by a zone or a field of its vendor's own: it can be
-- missed only where that window was read.
with newest as (
    select
        account,
        record_id,
        event_at,
        window_from,
        load_no,
        payload
    from records
    qualify row_number() over (
        partition by account, record_id
        order by load_no desc, fetched_at desc
    ) = 1
)

select
    newest.account,
    newest.record_id,
    newest.event_at
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
    and (
        listed.account is not null
        or abs(date_diff('day', newest.window_from, newest.event_at)) != 1
    )
order by newest.account, newest.event_at, newest.record_id
