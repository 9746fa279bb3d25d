-- What the calls of each of the last 24 UTC months say that is billed, beside what was billed.
select
    strftime(month, '%Y-%m') as month,
    vendor,
    account,
    currency,
    expected,
    invoiced,
    difference,
    pending_calls,
    calls_without_cost,
    incomplete_days
from main.invoice_reconciliation
where
    month > getvariable('last_date')::date - interval 24 month
    and (expected is not null or invoiced is not null)
order by month desc, vendor asc, account asc, currency asc
