-- One row per date, vendor, account, direction and country of the customer's side: whether calls get
-- through, and how long they last, as carriers judge a route. Additive counts and sums only; calls among
-- colleagues and deleted ones do not count.
-- @key call_date, vendor, account, direction, country
-- @nullable call_date, country
-- @accepted direction: inbound, outbound
-- @not_null calls, known_calls, answered_calls, failed_calls, attempts, timed_calls, costed_calls
-- @not_null costed_seconds
-- @column call_date: as in daily_calls; NULL = the start is not known
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column direction: as in fact_calls
-- @column country: as in fact_calls; NULL = it is not known
-- @column calls [calls]: calls of the route
-- @column known_calls [calls]: of calls those of which is known whether they were answered
-- @column answered_calls [calls]: of known_calls answered
-- @column failed_calls [calls]: of known_calls those that the network or the vendor failed: not those that were
--     busy, rejected, not answered or given up
-- @column attempts [attempts]: how often the customers of outbound known_calls were dialled; 0 inbound
-- @column timed_calls [calls]: of answered_calls those whose time on the line is known
-- @column answered_seconds [seconds]: line_seconds of timed_calls; NULL = there are none
-- @column costed_calls [calls]: calls whose whole cost is known in the reporting currency, and whose time on
--     the line is
-- @column costed_seconds [seconds]: line_seconds of costed_calls
-- @column cost_reporting [reporting_currency]: what costed_calls cost; NULL = there are none
with calls as (
    select
        *,
        if(is_answered, line_seconds, null) as answered_length,
        cost_status not in ('pending', 'partial')
        and cost_reporting is not null and line_seconds is not null as is_costed
    from main.fact_calls
    where direction in ('inbound', 'outbound') and not is_deleted
)

select
    call_date,
    vendor,
    account,
    direction,
    country,
    count(*) as calls,
    count(is_answered) as known_calls,
    count(*) filter (where is_answered) as answered_calls,
    count(*) filter (where outcome = 'failed')
        as failed_calls,
    coalesce(sum(attempt_count) filter (where is_answered is not null), 0)::bigint as attempts,
    count(answered_length) as timed_calls,
    sum(answered_length)::decimal(18, 3) as answered_seconds,
    count(*) filter (where is_costed) as costed_calls,
    coalesce(sum(line_seconds) filter (where is_costed), 0)::decimal(18, 3) as costed_seconds,
    sum(cost_reporting) filter (where is_costed)::decimal(24, 6) as cost_reporting
from calls
group by all
