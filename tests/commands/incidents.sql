-- What a published file has where something is to be acted upon, a row of each kind.
set timezone = 'UTC';
insert into ops.reconciliation by name
select 'whippy' as vendor, 'main' as account, timestamptz '2026-04-18 00:00+00' as window_start,
    'mismatched' as verdict;
insert into ops.quarantine by name
select 'whippy' as vendor, 'main' as account, 'calls' as stream,
    unnest(['a', 'a', 'b']) as payload, timestamptz '2026-04-18 00:00+00' as fetched_at,
    true as is_open;
insert into ops.absences by name
select 'whippy' as vendor, 'main' as account, 'calls' as record, unnest(['a', 'b']) as record_id,
    timestamptz '2026-04-18 00:00+00' as read_at, timestamptz '2026-04-18 00:00+00' as since,
    'doubted' as state, 1 as load_no;
-- It was doubted, and is listed again.
insert into ops.absences by name
select 'whippy' as vendor, 'main' as account, 'calls' as record, 'c' as record_id,
    timestamptz '2026-04-17 00:00+00' - to_days(load_no) as read_at,
    timestamptz '2026-04-17 00:00+00' as since, state, load_no
from (values (1, 'doubted'), (2, 'present')) as states (load_no, state);
insert into ops.field_changes by name
select 'whippy' as vendor, 'calls' as record, 'ai.mood' as path, 'new' as change,
    date '2026-04-18' as noticed_on, 'canary' as example;
insert into ops.unmapped_values by name
select 'whippy' as vendor, 'from' as field, '+1 202 555 0123' as value,
    timestamptz '2026-04-18 00:00+00' as first_seen_at;
update ops.streams set daily_requests = 10;
insert into invoice_reconciliation by name
select date '2026-03-01' as month, 'whippy' as vendor, 'main' as account, 'USD' as currency,
    -1.5 as difference, 0 as pending_calls, 0 as incomplete_days;
-- A call of the month can still change.
insert into invoice_reconciliation by name
select date '2026-02-01' as month, 'whippy' as vendor, 'main' as account, 'USD' as currency,
    9 as difference, 1 as pending_calls, 0 as incomplete_days;
