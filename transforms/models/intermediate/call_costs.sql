-- One row per call: what it cost, by component, in its currency and in the reporting one.
-- A rate card that overrides decides the cost; else the vendor's own total does, else the
-- sum of the leaf lines. `call_date` decides which exchange rate counts. What an allowance makes
-- of a call is provisional until its month is closed: another call of the month can still move it.
-- @key vendor, account, vendor_call_id
-- @not_null cost_source, cost_status, reporting_currency
with costs as (
    select
        calls.vendor,
        calls.account,
        calls.vendor_call_id,
        (calls.started_at at time zone run.reporting_time_zone)::date as call_date,
        case
            when totals.has_rate_card then totals.total
            else coalesce(calls.reported_cost, totals.total)
        end as cost_total,
        coalesce(totals.total, 0) as allocated,
        totals.telephony,
        totals.transfer,
        totals.bot,
        totals.ai,
        totals.recording,
        totals.transcription,
        totals.other,
        if(totals.has_rate_card, totals.card_currency, calls.currency) as currency,
        case
            when totals.has_rate_card then 'rated'
            when calls.reported_cost is not null then 'reported'
            when totals.total is null then 'none'
            when totals.is_rated then 'rated'
            else 'summed'
        end as cost_source,
        case
            when not totals.has_rate_card and calls.cost_status != 'final' then calls.cost_status
            when totals.has_allowance and months.account is null then 'provisional'
            when totals.has_rate_card then 'final'
            else coalesce(calls.cost_status, 'none')
        end as cost_status,
        totals.rated_seconds,
        run.reporting_currency
    from staging.calls as calls
    left join intermediate.call_cost_totals as totals
        on
            calls.vendor = totals.vendor
            and calls.account = totals.account
            and calls.vendor_call_id = totals.vendor_call_id
    left join intermediate.billing_months as months
        on
            months.is_closed
            and calls.vendor = months.vendor
            and calls.account = months.account
            and date_trunc('month', calls.started_at at time zone 'UTC') = months.month
    cross join config.run as run
),

converted as (
    select
        costs.*,
        case
            when costs.cost_total is null then null
            when costs.currency = costs.reporting_currency then 1
            else rates.rate
        end::decimal(18, 8) as fx_rate
    from costs
    left join intermediate.fx_days as rates
        on costs.currency = rates.from_currency and costs.call_date = rates.day
)

select
    vendor,
    account,
    vendor_call_id,
    call_date,
    cost_total::decimal(18, 6) as cost_total,
    telephony::decimal(18, 6) as cost_telephony,
    transfer::decimal(18, 6) as cost_transfer,
    bot::decimal(18, 6) as cost_bot,
    ai::decimal(18, 6) as cost_ai,
    recording::decimal(18, 6) as cost_recording,
    transcription::decimal(18, 6) as cost_transcription,
    other::decimal(18, 6) as cost_other,
    (cost_total - allocated)::decimal(18, 6) as cost_unallocated,
    if(cost_total is null, null, currency) as currency,
    cost_source,
    cost_status,
    -- Exact, and rounded half up: a product of decimals is one of whole numbers.
    try_cast(cost_total::decimal(28, 6) * fx_rate as decimal(18, 6)) as cost_reporting,
    reporting_currency,
    fx_rate,
    rated_seconds
from converted
