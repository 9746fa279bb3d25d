-- One row per vendor account and UTC month of which a day was ever requested: how much of it is
-- known, and whether an allowance of it can still move. An allowance is used up in the order of the
-- calls of the month, so that a price within it stands once no call of the month can come or change.
-- @kind table
-- @key vendor, account, month
-- @not_null complete_days, is_closed
-- @column month: its first day, in UTC
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column complete_days [days]: of them complete in ops.coverage_days
-- @column is_closed: whether the month is over, settle_after has passed since, and each of its
--     days is complete and was read after its lookback
with counted as (
    select
        date_trunc('month', day)::date as month,
        vendor,
        account,
        (count(*) filter (where state = 'complete'))::integer as complete_days,
        count(*) filter (where state = 'complete' and is_settled) as settled_days
    from ops.coverage_days
    group by all
)

select
    counted.month,
    counted.vendor,
    counted.account,
    counted.complete_days,
    counted.settled_days = day(last_day(counted.month))
    and coalesce(
        (counted.month + interval 1 month) at time zone 'UTC' + accounts.settle_after <= run.now,
        false
    ) as is_closed
from counted
left join config.accounts as accounts
    on counted.vendor = accounts.vendor and counted.account = accounts.account
cross join config.run as run
