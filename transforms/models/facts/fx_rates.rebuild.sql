-- One row per call whose exchange rate is another one now.
select
    calls.vendor,
    calls.account,
    calls.vendor_call_id as record_id
from main.fact_calls as calls
left join intermediate.fx_days as rates
    on calls.currency = rates.from_currency and calls.call_date = rates.day
where calls.currency != calls.reporting_currency and calls.fx_rate is distinct from rates.rate
