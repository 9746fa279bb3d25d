-- One row: how many calls have a cost and no known start, so that no charge is made of them.
select count(*) as calls
from main.fact_calls
where
    started_at is null
    and cost_total is not null
    and (not is_deleted or cost_source in ('reported', 'summed'))
