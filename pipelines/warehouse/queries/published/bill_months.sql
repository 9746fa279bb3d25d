-- The rows of a month of a vendor, a row for each account and currency.
select
    account,
    currency,
    calls,
    cost_final,
    cost_not_final,
    cost_deleted,
    base_cost,
    expected,
    invoiced,
    difference,
    pending_calls,
    calls_without_cost,
    incomplete_days,
    notes
from main.invoice_reconciliation
where
    vendor = getvariable('vendor')
    and account = coalesce(getvariable('account'), account)
    and month = getvariable('month')::date
order by account asc, currency asc nulls last
