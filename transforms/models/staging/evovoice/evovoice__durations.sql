-- One row per voice session whose log can be read as a whole: what its parts took. One line
-- that is not known, or has no time within the session, may have ended any part: then none
-- is given. A part that the log does not name is NULL.
-- @key account, vendor_call_id
with lines as (
    select
        lines.account,
        lines.record_id,
        lines.line_no,
        lines.event,
        sessions.is_missed,
        sessions.has_ended and sessions.completed_at is not null as is_closed,
        -- The log has whole seconds: its first line may be earlier than the session.
        greatest(lines.written_at, sessions.created_at) as begun_at,
        sessions.completed_at,
        bool_and(
            lines.event is not null
            and coalesce(
                lines.written_at >= sessions.created_at - interval 1 second
                and (
                    sessions.completed_at is null
                    or lines.written_at <= sessions.completed_at + interval 1 second
                ),
                false
            )
        ) over (partition by lines.account, lines.record_id) as is_read
    from staging.evovoice__log_lines as lines
    inner join staging.evovoice__sessions as sessions
        on lines.account = sessions.account and lines.record_id = sessions.record_id
),

parts as (
    select
        account,
        record_id,
        event,
        is_missed,
        is_closed,
        begun_at,
        epoch_us(least(
            lead(begun_at, 1, completed_at) over (
                partition by account, record_id
                order by begun_at, line_no
            ),
            completed_at
        )) - epoch_us(least(begun_at, completed_at)) as micros
    from lines
    where is_read and event != 'none'
),

summed as (
    select
        account,
        record_id,
        min(begun_at) filter (where event = 'talk' and not is_missed) as answered_at,
        list_transform(
            [
                sum(micros) filter (where event = 'ring' and is_closed),
                sum(micros) filter (where event = 'ivr' and is_closed),
                sum(micros) filter (where event = 'queue' and is_closed),
                sum(micros) filter (where event = 'talk' and is_closed and not is_missed),
                sum(micros) filter (where event = 'hold' and is_closed and not is_missed)
            ],
            lambda x: ((x::bigint + 500) // 1000 * 0.001::decimal(4, 3))::decimal(12, 3)
        ) as seconds
    from parts
    group by account, record_id
)

select
    account,
    record_id as vendor_call_id,
    answered_at,
    seconds[1] as ring_seconds,
    seconds[2] as ivr_seconds,
    seconds[3] as queue_seconds,
    seconds[4] as talk_seconds,
    seconds[5] as hold_seconds
from summed
