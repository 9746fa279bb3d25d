-- One row per month, vendor account and item of its price list: what is paid whatever is called, and what was called.
-- Only EvoVoice has such a list. A month goes by the last list read in it, as its calls
-- do; the first has the first list or rated call. Deleted and unrated calls do not count.
-- @kind table
-- @key month, vendor, account, vendor_account, item
-- @nullable base_cost, allowance
-- @not_null currency
-- @accepted item: base, inboundVoiceCalls, outboundVoiceCalls
-- @column month: its first day, in UTC
-- @column vendor: as in fact_calls
-- @column account: as in fact_calls
-- @column vendor_account: the vendor's own number of the account; a login may have several
-- @column item: what the price list calls it; base is the account itself
-- @column currency: ISO 4217
-- @column base_cost [currency]: paid once in the month, and part of no call; NULL = the list has none
-- @column allowance [units]: units of the month that cost nothing; NULL = there are no units
-- @column calls [calls]: rated calls; NULL = it is the base
-- @column minutes [minutes]: minutes of them, each call's rounded up; NULL = it is the base
-- @column units [units]: minutes times the list's multiplier; NULL = it is the base
-- @column billable_units [units]: units beyond the allowance; NULL = it is the base
-- @column usage_cost [currency]: what those cost; the sum of cost_total of the calls; NULL = it is the base
with prices as (
    select
        account,
        record_id as vendor_account,
        item,
        base_cost,
        allowance,
        fetched_at
    from staging.evovoice__accounts
    union all
    select
        account,
        record_id as vendor_account,
        'base' as item,
        account_base_cost as base_cost,
        null as allowance,
        fetched_at
    from staging.evovoice__accounts
    where item = 'inboundVoiceCalls'
),

used as (
    select
        rated.account,
        rated.vendor_account,
        rated.item,
        rated.month,
        count(*) as calls,
        sum(rated.minutes) as minutes,
        sum(rated.units) as units,
        sum(rated.billable_units) as billable_units,
        sum(facts.cost_total) as usage_cost
    from ops.rated_minutes as rated
    inner join main.fact_calls as facts on rated.call_key = facts.call_key
    where not facts.is_deleted
    group by all
),

begun as (
    select
        prices.account,
        prices.vendor_account,
        least(
            min(date_trunc('month', prices.fetched_at at time zone 'UTC')::date), min(used.month)
        ) as first_month
    from prices
    left join used
        on prices.account = used.account and prices.vendor_account = used.vendor_account
    group by all
),

months as (
    select
        begun.account,
        begun.vendor_account,
        unnest(
            generate_series(
                begun.first_month::timestamp,
                date_trunc('month', house.now at time zone 'UTC'),
                interval 1 month
            )
        )::date as month,
        ((month + interval 1 month)::timestamp at time zone 'UTC') as month_end
    from begun
    cross join config.callhouse as house
),

listed as (
    select
        months.*,
        prices.item,
        prices.base_cost,
        prices.allowance
    from months
    inner join prices
        on
            months.account = prices.account
            and months.vendor_account = prices.vendor_account
    qualify row_number() over (
        partition by months.account, months.vendor_account, prices.item, months.month
        order by
            prices.fetched_at >= months.month_end,
            abs(epoch_us(months.month_end) - epoch_us(prices.fetched_at))
    ) = 1
)

select
    listed.month,
    'evovoice' as vendor,
    listed.account,
    listed.vendor_account,
    listed.item,
    coalesce(accounts.currency, 'USD') as currency,
    listed.base_cost::decimal(18, 6) as base_cost,
    listed.allowance::decimal(18, 6) as allowance,
    if(listed.item = 'base', null, coalesce(used.calls, 0)) as calls,
    if(listed.item = 'base', null, coalesce(used.minutes, 0))::decimal(24, 6) as minutes,
    if(listed.item = 'base', null, coalesce(used.units, 0))::decimal(24, 6) as units,
    if(listed.item = 'base', null, coalesce(used.billable_units, 0))::decimal(24, 6)
        as billable_units,
    if(listed.item = 'base', null, coalesce(used.usage_cost, 0))::decimal(24, 6) as usage_cost
from listed
left join used
    on
        listed.account = used.account
        and listed.vendor_account = used.vendor_account
        and listed.item = used.item
        and listed.month = used.month
left join config.accounts as accounts
    on accounts.vendor = 'evovoice' and listed.account = accounts.account
