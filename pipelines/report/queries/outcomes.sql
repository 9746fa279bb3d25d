-- What became of the calls, in seven words.
select
    call_date,
    vendor,
    account,
    direction,
    case
        when outcome in ('answered', 'abandoned', 'contained', 'voicemail') then outcome
        when outcome in ('missed', 'no_answer', 'busy', 'rejected', 'overflowed')
            then 'not taken'
        when outcome in ('failed', 'canceled') then 'not put through'
        else 'unknown or open'
    end as outcome,
    count(*) as calls
from main.fact_calls
where
    call_date between getvariable('first_date') and getvariable('last_date')
    and not is_deleted
group by all
order by all
