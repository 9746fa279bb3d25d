"""Read ``invoices.csv``: what the vendors billed, a line for an invoice or part of one.

A line is a vendor, an account, a UTC month, an amount, its currency, and a note, which
may be empty. Several lines of one month are added up; a credit is negative. The models
use it in ``marts/invoice_reconciliation.sql``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from pipelines.config.csv_file import read_header, read_lines
from pipelines.config.fx_rates import CURRENCY, NOT_A_CURRENCY
from pipelines.config.toml_file import ConfigError, Setting, nearest
from pipelines.sources import vendors

INVOICES = "invoices.csv"
"""Name of the file in the configuration folder."""
COLUMNS = ("vendor", "account", "month", "amount", "currency", "note")
AMOUNT = re.compile(r"-?\d{1,12}(\.\d{1,6})?")
"""An amount as DECIMAL(18, 6) can have it; one above 0 for what is to be paid."""
MONTH = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class Invoice:
    """One line of the file; ``number`` is 1 for the first."""

    number: int
    vendor: str
    account: str
    """The account's alias; also one that is configured no longer, or not yet."""
    month: date
    """Its first day, in UTC."""
    amount: Decimal
    currency: str
    note: str | None


def read_invoices(path: Path) -> tuple[Invoice, ...]:
    """Return the lines of a file in their order; none if there is no file.

    Raises `ConfigError` with the line whose vendor, month, amount or currency is none.
    """
    return tuple(_invoices(path)) if path.exists() else ()


def _invoices(path: Path) -> Iterator[Invoice]:
    lines = read_lines(path)
    read_header(lines, path, COLUMNS)
    for count, (number, cells) in enumerate(lines, start=1):
        place = f"{path} line {number}"
        if len(cells) != len(COLUMNS) or not all(cells[:-1]):
            raise ConfigError(
                f"{place}: an invoice is {','.join(COLUMNS)}, and only the note may be "
                "empty; a note with a comma in it stands between quotation marks"
            )
        vendor, account, month, amount, currency, note = cells
        nearest(vendor, vendors(), Setting(None, f"{place} vendor"))
        if not MONTH.fullmatch(month):
            raise ConfigError(
                f"{place}: {month!r} is not a month; write it like 2026-10"
            )
        if not AMOUNT.fullmatch(amount):
            raise ConfigError(
                f"{place}: {amount!r} is not an amount; write one like 1019.50, with "
                "six decimals at most"
            )
        if not CURRENCY.fullmatch(currency):
            raise ConfigError(f"{place}: {NOT_A_CURRENCY.format(currency)}")
        yield Invoice(
            count,
            vendor,
            account,
            date.fromisoformat(f"{month}-01"),
            Decimal(amount),
            currency,
            note or None,
        )
