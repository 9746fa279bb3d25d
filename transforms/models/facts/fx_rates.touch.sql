-- One row per call whose exchange rate is another one now.
select
    calls.vendor,
    calls.account,
    calls.vendor_call_id as record_id
from main.fact_calls as calls
asof left join main.fx_rates as rates
    on calls.currency = rates.from_currency and calls.call_date >= rates.date
where
    calls.currency != calls.reporting_currency
    and calls.fx_rate is distinct from
    if(calls.call_date - rates.date <= 7, rates.rate, null)
