"""A sample of exchange rates, so that invented calls have a cost in one currency."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa

from pipelines.config.fx_rates import FxRate, as_table
from pipelines.sandbox.world import BEGINNING

SOURCE = "made up, for the sandbox"
"""What ``dim_fx_rates.source`` says of each of them."""
WEEK = timedelta(days=7)
FOR_A_EURO = {"USD": Decimal("1.08"), "RUB": Decimal("97.5"), "GBP": Decimal("0.85")}


def sample_rates(until: date) -> pa.Table:
    """Return a rate a week from the beginning of the sandbox's history on."""
    return as_table(_rates(until))


def _rates(until: date) -> Iterator[FxRate]:
    day, week = BEGINNING, 0
    while day <= until:
        for currency, rate in FOR_A_EURO.items():
            moved = rate * (1000 + week * 7 % 11) / 1000
            yield FxRate(day, "EUR", currency, moved, SOURCE)
        day, week = day + WEEK, week + 1
