-- Which currencies have no exchange rate for some of their calls, whose cost is not converted.
select
    currency,
    reporting_currency,
    from_day,
    to_day,
    calls
from ops.missing_rates
order by currency
