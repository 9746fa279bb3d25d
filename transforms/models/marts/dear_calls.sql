-- One row per call that cost far more than the others of its vendor, account, direction, currency and month:
-- more than the third quartile and three times the spread of the middle half (the outer fence). Where fewer
-- than 20 calls of the month have a cost, or the middle half costs the same, none is listed. Deleted
-- calls, and costs of which a part is to come, do not count.
-- @kind table
-- @key call_key
-- @not_null vendor, account, direction, currency, cost_total, usual_cost, fence, compared_calls
-- @check cost_total > fence
-- @column call_key: the call
-- @column call_date: as in fact_calls; NULL = the start is not known
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column direction: as in fact_calls
-- @column currency: as in fact_calls
-- @column cost_total [currency]: as in fact_calls
-- @column usual_cost [currency]: the median of the calls it is compared with
-- @column fence [currency]: the cost beyond which a call of them is listed here
-- @column line_seconds [seconds]: as in fact_calls: how long it was; NULL = not reported
-- @column usual_line_seconds [seconds]: the median of the calls it is compared with; NULL = none is known
-- @column compared_calls [calls]: how many those are
with calls as (
    select
        *,
        date_trunc('month', call_date) as month
    from main.fact_calls
    where
        cost_total is not null and cost_status not in ('pending', 'partial') and not is_deleted
),

usual as (
    select
        vendor,
        account,
        direction,
        currency,
        month,
        count(*) as compared_calls,
        quantile_disc(cost_total, 0.5) as usual_cost,
        quantile_disc(line_seconds, 0.5) as usual_line_seconds,
        quantile_disc(cost_total, 0.75) as third_quartile,
        third_quartile - quantile_disc(cost_total, 0.25) as spread
    from calls
    group by vendor, account, direction, currency, month
)

select
    calls.call_key,
    calls.call_date,
    calls.vendor,
    calls.account,
    calls.direction,
    calls.currency,
    calls.cost_total,
    usual.usual_cost,
    (usual.third_quartile + 3 * usual.spread)::decimal(18, 6) as fence,
    calls.line_seconds,
    usual.usual_line_seconds,
    usual.compared_calls
from calls
inner join usual
    on
        calls.vendor = usual.vendor
        and calls.account = usual.account
        and calls.direction = usual.direction
        and calls.currency = usual.currency
        and calls.month is not distinct from usual.month
where usual.compared_calls >= 20 and usual.spread > 0 and calls.cost_total > fence
