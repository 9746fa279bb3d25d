"""What a run is told: vendors, their accounts, and where and how to build."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from pipelines.config.fx_rates import as_table
from pipelines.config.rate_cards import RateCard
from pipelines.extract.source import SourceSettings
from pipelines.warehouse.paths import Warehouse

SETTLE_AFTER = timedelta(days=7)
"""A call is asked for until it is this old; what is known of it then is final."""


@dataclass(frozen=True)
class Account:
    """One login at one vendor."""

    vendor: str
    alias: str
    settings: SourceSettings = field(default_factory=SourceSettings)
    """The vendor's own, credentials among them; those of nobody where the account is
    loaded and no longer configured."""
    currency: str | None = None
    time_zone: str | None = None
    region: str | None = None
    """ISO alpha-2 of the country whose national form its phone numbers have."""
    decimal_separator: str | None = None
    """What an amount such as 1,019 has before its decimals, where a text is one."""


@dataclass(frozen=True)
class Vendor:
    """One vendor with the accounts that have their credentials."""

    name: str
    accounts: tuple[Account, ...]
    lookback: timedelta | None
    """As configured; `Stream.lookback_or` says where it holds."""
    settle_after: timedelta


@dataclass(frozen=True)
class Config:
    """All that a run is told."""

    warehouse: Warehouse
    vendors: tuple[Vendor, ...]
    start: date | None = None
    history_days: int = 30
    reporting_time_zone: str = "UTC"
    reporting_currency: str = "USD"
    service_level_seconds: int = 20
    keep_snapshots: int = 3
    published_mode: int = 0o640
    """Who may read what is published."""
    rate_cards: tuple[RateCard, ...] = ()
    is_as_of: bool = True
    """Whether a run is given its time, and does not take the machine's."""
    fx_rates: Path | pa.Table = field(
        default_factory=lambda: as_table(()), repr=False, compare=False
    )
    """Their CSV file, which `fx_rates.rates_of` reads for a build only; or rates."""
