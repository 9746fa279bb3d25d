"""``callhouse bill``: what a vendor's month is expected to cost, beside its invoice.

All of it is read from one published file.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.config.invoices import MONTH
from pipelines.config.toml_file import ConfigError, Setting, nearest
from pipelines.sources import vendors
from pipelines.warehouse.published_queries import Row, queries_with
from transforms.runner.storage import Place


@dataclass(frozen=True)
class Bill:
    """A month of a vendor; every row has its account, and its currency."""

    vendor: str
    month: date
    """Its first day, in UTC."""
    months: Sequence[Row]
    """The rows of ``invoice_reconciliation``."""
    parts: Sequence[Row]
    """What ``expected`` is the sum of, the largest first: state, part, calls, amount.
    The state is final, not final, deleted or base; the part is a component or, of a
    base cost, an item."""
    payers: Sequence[Row]
    """The ten with the largest costs of calls."""
    days: Sequence[Row]
    """The days that are not complete, by account and state, without a currency."""


def read_bill(published: Place, vendor: str, month: str, account: str | None) -> Bill:
    """Return a month, written as 2026-10, of a vendor, or of one account of it.

    Raises `ConfigError` for an unknown vendor, for what is no month, and for one of
    which there is neither a call nor a base cost nor an invoice.
    """
    nearest(vendor, vendors(), Setting(None, "VENDOR"))
    if not re.fullmatch(MONTH, month):
        raise ConfigError(f"MONTH: {month!r} is not a month; write it like 2026-10")
    first = date.fromisoformat(f"{month}-01")
    given = {"vendor": vendor, "month": first, "account": account}
    with queries_with(published, given) as rows:
        found = Bill(
            vendor,
            first,
            months=rows("bill_months"),
            parts=rows("bill_parts"),
            payers=rows("bill_payers"),
            days=rows("bill_days"),
        )
    if not found.months:
        whose = vendor if account is None else f"account {account!r} of {vendor}"
        raise ConfigError(
            f"{whose} has neither calls nor base costs nor invoices in {month}; "
            "callhouse status shows which days are stored"
        )
    return found
