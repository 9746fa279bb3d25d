-- One row per line of the log of a voice session: when it was written, and what began then
-- by seeds/log_lines.csv. A line of the seed that ends with … goes on with a name, or was
-- cut off there when the session was erased. The texts themselves go no further.
-- @key account, record_id, line_no
with lines as (
    select
        account,
        record_id,
        generate_subscripts(session['log'], 1)::integer as line_no,
        unnest(session['log']) as entry,
        lower(trim(entry['message'])) as message
    from staging.evovoice__sessions
    where is_call
),

matched as (
    select
        lines.account,
        lines.record_id,
        lines.line_no,
        arg_max(known.event, len(known.line)) as event
    from lines
    inner join seeds.log_lines as known
        on
            known.vendor = 'evovoice'
            and (
                lines.message = trim(replace(known.line, '…', ''))
                or (
                    known.line like '% …'
                    and starts_with(lines.message, replace(known.line, '…', ''))
                )
            )
    group by all
)

select
    lines.account,
    lines.record_id,
    lines.line_no,
    case
        when regexp_full_match(lines.entry['date'], '/Date\(-?\d{1,14}([+-]\d{4})?\)/')
            then make_timestamptz(regexp_extract(lines.entry['date'], '-?\d+')::bigint * 1000)
        else read_time(lines.entry['date'], 'UTC')
    end as written_at,
    matched.event,
    matched.event is null and lines.message != '' as is_unknown,
    written_at is null and lines.entry['date'] != '' as is_undated
from lines
left join matched
    on
        lines.account = matched.account
        and lines.record_id = matched.record_id
        and lines.line_no = matched.line_no
