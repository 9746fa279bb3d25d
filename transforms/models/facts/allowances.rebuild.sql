-- One row per call that shares an allowance with one that is computed again.
-- An allowance belongs to a rate card and a UTC month. A call that is new, changed or
-- deleted changes the prices of the later calls of that month. The month it was in is that
-- of its row in fact_calls; the month it is in now is within a day of its record's time.
-- And one row per call within an allowance whose month was closed since, or is open again.
with moments as (
    select
        vendor,
        account,
        unnest([event_at - interval 1 day, event_at, event_at + interval 1 day]) as moment
    from inputs.rebuild
),

months as (
    select
        vendor,
        account,
        date_trunc('month', moment at time zone 'UTC') as month
    from moments
    union distinct
    select
        calls.vendor,
        calls.account,
        date_trunc('month', calls.started_at at time zone 'UTC') as month
    from main.fact_calls as calls
    inner join inputs.rebuild as rebuild
        on
            calls.vendor = rebuild.vendor
            and calls.account = rebuild.account
            and calls.vendor_call_id = rebuild.record_id
)

select
    calls.vendor,
    calls.account,
    calls.vendor_call_id as record_id
from main.fact_calls as calls
inner join months
    on
        calls.vendor = months.vendor
        and calls.account = months.account
        and date_trunc('month', calls.started_at at time zone 'UTC') = months.month
inner join config.rate_cards as cards
    on
        cards.allowance > 0
        and calls.vendor = cards.vendor
        and calls.account = cards.account
union distinct
select
    rated.vendor,
    rated.account,
    substr(rated.call_key, len(rated.vendor) + len(rated.account) + 3) as record_id
from intermediate.rated_units as rated
left join intermediate.billing_months as months
    on
        months.is_closed
        and rated.vendor = months.vendor
        and rated.account = months.account
        and rated.month = months.month
where rated.has_allowance and rated.is_final != (months.account is not null)
