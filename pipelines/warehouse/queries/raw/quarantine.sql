-- quarantine
-- One row per record of a raw file that could not be read; the same bytes from the same
-- stream are one. It is open unless a later complete read of its window, by time and
-- not of single calls, came without it.
with full_reads as (
    select
        windows.account,
        windows.stream,
        windows.window_start,
        windows.window_end,
        windows.load_no,
        windows.started_at
    from raw.load_windows as windows
    inner join raw._dlt_loads as loads
        on windows._dlt_load_id = loads.load_id and loads.status = 0
    where
        windows.state = 'complete'
        and windows.purpose != 'settle'
        and windows.split_of is null
),

sightings as (
    select
        stored.account,
        stored.stream,
        stored.payload,
        stored.reason,
        stored.window_from,
        stored.load_no,
        stored.fetched_at,
        count(full_reads.started_at) = 0 as is_open
    from raw.quarantine as stored
    left join full_reads
        on
            stored.account = full_reads.account
            and stored.stream = full_reads.stream
            and (stored.load_no, stored.fetched_at) < (full_reads.load_no, full_reads.started_at)
            and stored.window_from >= full_reads.window_start
            and stored.window_to <= full_reads.window_end
    group by all
)

select
    account,
    stream,
    payload,
    max_by(reason, (load_no, fetched_at)) as reason,
    bool_or(is_open) as is_open,
    list(
        struct_pack(window_from := window_from, fetched_at := fetched_at, load_no := load_no)
        order by load_no, fetched_at
    ) as sightings
from sightings
group by account, stream, payload
order by min(fetched_at), account, stream, payload
