-- One row per metric and variant: what of a mart it is made of, how, and who defines it so. The metric is
-- factor times the sum of the numerator over the sum of the denominator, and unknown where that is 0 or
-- NULL. The world disagrees on most of them: each way to count has a name here, and none is a default.
-- @key metric, variant
-- @not_null relation, numerator, denominator, factor, unit, definition
-- @check document is null or source is not null
-- @column metric: its name
-- @column variant: which of the ways to count it
-- @column relation: the mart: daily_calls, daily_queue_calls, daily_agents, daily_routes, daily_repeat_calls;
--     what is made of daily_calls can be made of hourly_calls as well
-- @column numerator: column of it, or a sum or difference of columns
-- @column denominator: column of it, or a sum or difference of columns; its sum beside that of all calls
--     is the share of the data that the metric is of
-- @column factor: what the quotient is multiplied with
-- @column unit: of the metric
-- @column definition: in words
-- @column source: whose definition it is, and how it is called there; NULL = it is ours
-- @column document: where they define it: an address, or a title; NULL = it is ours, or source names it
select
    metric,
    variant,
    relation,
    numerator,
    denominator,
    factor::integer as factor,
    unit,
    definition,
    source,
    document
from seeds.metrics
