-- One row per record that a run missed and no later one has proven or seen.
select
    account,
    record,
    record_id,
    event_at,
    since,
    state = 'suspected' as is_believed
from raw_file.raw.absences
qualify
    row_number() over (
        partition by account, record, record_id
        order by load_no desc, read_at desc
    ) = 1
    and state in ('suspected', 'doubted')
order by account, record, event_at, record_id
