-- One row per living record that a run has not seen: its newest version lies in what
-- was read, and was not stored by that run.
with newest as (
    select
        account,
        record_id,
        event_at,
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
where newest.payload is not null and newest.load_no < getvariable('since')
order by newest.account, newest.event_at, newest.record_id
