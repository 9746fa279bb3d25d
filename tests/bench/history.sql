-- A year of nightly loads in a raw file of TWIN that has some calls: getvariable('calls')
-- of them on getvariable('days') days before getvariable('until'). Each is one that is there,
-- with another id and on another day. Each night read its day and, as a lookback, the day
-- four nights earlier; four more nights closed the last days. A day settled a week after it.
create temp table pieces as
select
    row_number() over (order by event_at, record_id) - 1 as number,
    record_id,
    -- The times stand together in a record, as TWIN sends it.
    regexp_extract(
        payload,
        '^(.*)("createdAt":.*"billedAt":"[^"]*")(.*)$',
        ['head', 'times', 'tail']
    ) as parts,
    [
        json_extract_string(payload, '$.' || name)::timestamptz
        for name in ['createdAt', 'startedAt', 'finishedAt', 'updatedAt', 'billedAt']
    ] as times,
    account
from raw.calls;

create temp table nights as
select
    number::bigint as load_no,
    epoch(day_start + interval 1 day)::bigint::varchar || '.5' as load_id,
    day_start,
    day_start + interval 1 day as day_end,
    day_end + interval 1 minute as read_at
from (
    select
        unnest(range(1, getvariable('days') + 5)) as number,
        getvariable('until') - to_days((getvariable('days') - number + 1)::integer) as day_start
) as numbered;

create temp table former_loads as
select
    schema_name,
    status,
    schema_version_hash
from raw._dlt_loads
order by load_id
limit 1;

delete from raw.calls;

delete from raw.load_windows;

delete from raw._dlt_loads;

insert into raw._dlt_loads by name
select
    nights.load_id,
    former_loads.schema_name,
    former_loads.status,
    nights.read_at as inserted_at,
    former_loads.schema_version_hash
from nights cross join former_loads;

insert into raw.calls by name
with chosen as (
    select
        unnest(range(getvariable('calls'))) as copy,
        copy % (select count(*) from pieces) as number,
        1 + copy % getvariable('days') as load_no
),

moved as (
    select
        pieces.*,
        nights.*,
        md5(pieces.record_id || '/' || chosen.copy)::uuid::varchar as new_id,
        nights.day_start - date_trunc('day', pieces.times[1]) as later
    from chosen
    inner join pieces on chosen.number = pieces.number
    inner join nights on chosen.load_no = nights.load_no
),

written as (
    select
        *,
        list_transform(times, lambda x: x + later) as new_times,
        list_transform(
            new_times,
            lambda x: coalesce('"' || strftime(x, '%Y-%m-%dT%H:%M:%S+00:00') || '"', 'null')
        ) as texts
    from moved
)

select
    account,
    new_id as record_id,
    new_times[1] as event_at,
    day_start as window_from,
    read_at as fetched_at,
    replace(parts['head'], record_id, new_id)
    || '"createdAt":' || texts[1] || ',"startedAt":' || texts[2]
    || ',"finishedAt":' || texts[3] || ',"updatedAt":' || texts[4]
    || ',"billedAt":' || texts[5]
    || replace(parts['tail'], record_id, new_id) as payload,
    load_no,
    load_id as _dlt_load_id
from written
order by load_no, event_at;

insert into raw.load_windows by name
with reads as (
    select
        nights.*,
        unnest(['nightly', 'lookback', 'settle']) as purpose,
        case purpose when 'nightly' then 0 when 'lookback' then 4 else 8 end as nights_later,
        -- A settled day is in the ledger without a request.
        purpose != 'settle' as is_read
    from nights
    where nights.load_no <= getvariable('days')
),

stored as (
    select
        load_no,
        count(*) as records
    from raw.calls
    group by all
),

streams as (
    select
        unnest(['created_calls', 'updated_calls', 'billed_calls']) as stream,
        stream = 'created_calls' as has_calls
)

select
    (select any_value(pieces.account) from pieces) as account,
    streams.stream,
    reads.day_start as window_start,
    reads.day_end as window_end,
    reads.purpose,
    'complete' as state,
    if(streams.has_calls and reads.is_read, coalesce(stored.records, 0), 0) as rows_fetched,
    rows_fetched as rows_distinct,
    if(streams.has_calls and reads.is_read, rows_fetched, null) as rows_inside,
    0 as rows_quarantined,
    if(reads.is_read, rows_fetched, null) as vendor_total,
    if(reads.is_read, 1, 0) as requests,
    0 as retries,
    if(reads.is_read, 0, null) as rows_vanished,
    if(reads.purpose = 'lookback', rows_fetched, 0) as rows_known,
    if(reads.is_read, rows_fetched, null) as rows_received,
    if(reads.purpose = 'nightly', rows_fetched, 0) as rows_stored,
    if(reads.purpose = 'lookback', rows_fetched, 0) as rows_unchanged,
    if(reads.purpose = 'nightly', 1, 2) as attempt,
    read_loads.read_at as started_at,
    read_loads.read_at as finished_at,
    read_loads.load_no,
    read_loads.load_id as _dlt_load_id
from reads
inner join nights as read_loads on reads.load_no + reads.nights_later = read_loads.load_no
cross join streams
left join stored on reads.load_no = stored.load_no
where reads.is_read or streams.has_calls
order by read_loads.load_no;

-- The next load has a greater number than all of these.
select count(nextval('callhouse.loads')) as numbers
from range(getvariable('days') + 5);

checkpoint;
