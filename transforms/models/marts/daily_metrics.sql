-- One row per date, vendor, account and way to count a metric: every variant of dim_metrics of which the date
-- has something to count. To have it of several dates, vendors or accounts, add up numerator and denominator,
-- and divide then. Of a queue, an agent, an hour or a country the marts are asked that dim_metrics names.
-- @kind table
-- @key call_date, vendor, account, metric, variant
-- @nullable call_date
-- @not_null unit, factor, denominator
-- @check denominator != 0 or value is null
-- @column call_date: as in daily_calls; NULL = the start is not known
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column metric: as in dim_metrics
-- @column variant: as in dim_metrics
-- @column unit: of value, as in dim_metrics
-- @column factor: what the quotient is multiplied with, as in dim_metrics
-- @column numerator: its sum; NULL = none of it is known
-- @column denominator: its sum
-- @column value: factor times numerator by denominator, rounded to a millionth; NULL = numerator is, or
--     denominator is 0: then it counts in a sum of dates alone
with sums as (
    select
        'daily_calls' as relation,
        call_date,
        vendor,
        account,
        sum(
            columns(
                * exclude (
                    call_date, vendor, account, billing_month, direction, queue_name, cost_center
                )
            )
        )::decimal(24, 6)
    from main.daily_calls
    group by call_date, vendor, account
    union all by name
    select
        'daily_queue_calls' as relation,
        call_date,
        vendor,
        account,
        sum(columns(* exclude (call_date, vendor, account, queue_key, queue_name)))::decimal(24, 6)
    from main.daily_queue_calls
    group by call_date, vendor, account
    union all by name
    select
        'daily_agents' as relation,
        call_date,
        vendor,
        account,
        sum(
            columns(
                * exclude (
                    call_date, vendor, account, agent_key, agent_name, is_bot
                )
            )
        )::decimal(24, 6)
    from main.daily_agents
    group by call_date, vendor, account
    union all by name
    select
        'daily_routes' as relation,
        call_date,
        vendor,
        account,
        sum(columns(* exclude (call_date, vendor, account, direction, country)))::decimal(24, 6)
    from main.daily_routes
    group by call_date, vendor, account
    union all by name
    select
        'daily_repeat_calls' as relation,
        call_date,
        vendor,
        account,
        sum(columns(* exclude (call_date, vendor, account)))::decimal(24, 6)
    from main.daily_repeat_calls
    group by call_date, vendor, account
),

amounts as (
    unpivot sums
    on columns(* exclude (relation, call_date, vendor, account))
    into name column_name value amount
),

-- "a - b + c" are the terms a, -b and c.
terms as (
    select
        metric,
        variant,
        relation,
        part,
        unnest(regexp_split_to_array(replace(formula, ' - ', ' + -'), ' \+ ')) as term,
        if(term[1] = '-', -1, 1) as sign,
        ltrim(term, '-') as column_name
    from main.dim_metrics
    unpivot (formula for part in (numerator, denominator))
),

parts as (
    select
        amounts.call_date,
        amounts.vendor,
        amounts.account,
        terms.metric,
        terms.variant,
        sum(terms.sign * amounts.amount) filter (where terms.part = 'numerator')
        ::decimal(24, 6) as numerator,
        sum(terms.sign * amounts.amount) filter (where terms.part = 'denominator')
        ::decimal(24, 6) as denominator
    from amounts
    inner join terms
        on
            amounts.relation = terms.relation
            and amounts.column_name = terms.column_name
    group by amounts.call_date, amounts.vendor, amounts.account, terms.metric, terms.variant
)

select
    parts.call_date,
    parts.vendor,
    parts.account,
    parts.metric,
    parts.variant,
    metrics.unit,
    metrics.factor,
    parts.numerator,
    parts.denominator,
    -- Whole millionths: a quotient of decimals is a float.
    (
        (
            (parts.numerator * 1000000)::hugeint * metrics.factor * 1000000
            + (parts.denominator * 1000000)::hugeint // 2
        )
        // nullif((parts.denominator * 1000000)::hugeint, 0) * 0.000001
    )::decimal(18, 6) as value
from parts
inner join main.dim_metrics as metrics
    on parts.metric = metrics.metric and parts.variant = metrics.variant
where parts.denominator != 0 or parts.numerator != 0
