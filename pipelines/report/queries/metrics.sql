-- How each rate is counted: its numerator and its denominator are columns of the query of service.
select
    metric,
    variant,
    numerator,
    denominator,
    factor,
    unit,
    definition
from main.dim_metrics
where relation = 'daily_calls'
