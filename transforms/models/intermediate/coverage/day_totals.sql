-- One row per vendor account, stream and UTC day of which something was read: how much of it.
-- Reads overlap and repeat: each adds what those before it in the day left open. The
-- records are those of the windows that lie in no other window, each at its last read;
-- windows that only overlap count their common part twice.
with classes as (
    select
        *,
        unnest(
            case
                when is_settled then ['settled', 'complete', 'reached']
                when is_complete then ['complete', 'reached']
                else ['reached']
            end
        ) as class
    from intermediate.day_parts
),

added as (
    select
        *,
        epoch_us(part_end) - epoch_us(
            greatest(
                part_start,
                max(part_end) over (
                    partition by vendor, account, stream, midnight, class
                    order by part_start, part_end
                    rows between unbounded preceding and 1 preceding
                )
            )
        ) as microseconds
    from classes
),

lengths as (
    select
        vendor,
        account,
        stream,
        midnight,
        sum(greatest(microseconds, 0)) filter (where class = 'settled') as settled_us,
        sum(greatest(microseconds, 0)) filter (where class = 'complete') as complete_us,
        sum(greatest(microseconds, 0)) filter (where class = 'reached') as reached_us,
        max(started_at) filter (where class = 'complete') as last_read_at
    from added
    group by all
),

latest as (
    select *
    from intermediate.day_parts
    where is_complete
    qualify row_number() over (
        partition by vendor, account, stream, midnight, window_start, window_end
        order by load_no desc, started_at desc
    ) = 1
),

widest as (
    select *
    from latest
    qualify coalesce(
        window_end > max(window_end) over (
            partition by vendor, account, stream, midnight
            order by window_start asc, window_end desc
            rows between unbounded preceding and 1 preceding
        ),
        true
    )
),

counts as (
    select
        vendor,
        account,
        stream,
        midnight,
        -- Of a window over several days it is not known on which its records are.
        case
            when bool_and(part_start = window_start and part_end = window_end)
                then sum(records)
        end::bigint as records
    from widest
    group by all
)

select
    lengths.*,
    counts.records
from lengths
left join counts
    on
        lengths.vendor = counts.vendor
        and lengths.account = counts.account
        and lengths.stream = counts.stream
        and lengths.midnight = counts.midnight
