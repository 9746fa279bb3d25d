-- One row per metric and variant: which two columns of daily_calls it is made of, and how.
-- The metric is factor times the sum of the numerator over the sum of the denominator.
-- @key metric, variant
-- @not_null numerator, denominator, factor, unit, definition
-- @column metric: its name
-- @column variant: which of the ways to count it
-- @column numerator: column of daily_calls
-- @column denominator: column of daily_calls; 0 means that nothing is known, not a rate of 0
-- @column factor: what the quotient is multiplied with
-- @column unit: of the metric
-- @column definition: in words
select
    metric,
    variant,
    numerator,
    denominator,
    factor::integer as factor,
    unit,
    definition
from seeds.metrics
