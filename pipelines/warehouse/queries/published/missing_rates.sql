-- One row per currency whose calls lack an exchange rate.
select
    currency,
    reporting_currency,
    from_day,
    to_day,
    calls
from ops.missing_rates
order by calls desc, currency asc
