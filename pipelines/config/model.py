"""The configuration as typed values: vendors, their accounts, and where to build."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.config.building import Building
from pipelines.config.cost_centers import CostCenterRule
from pipelines.config.fx_rates import as_table
from pipelines.config.invoices import Invoice
from pipelines.config.operation import Operation
from pipelines.config.privacy import Privacy
from pipelines.config.rate_cards import RateCard
from pipelines.config.report import Report
from pipelines.extract.source import SourceSettings
from pipelines.warehouse.paths import Warehouse

if TYPE_CHECKING:
    from pipelines.warehouse.lake import LakeStore

FINALITY_HORIZON = timedelta(days=7)
"""The default finality horizon: a call this old is final, whatever is pending."""


@dataclass(frozen=True)
class Account:
    """One account at a vendor: its credentials and settings."""

    vendor: str
    alias: str
    settings: SourceSettings = field(default_factory=SourceSettings)
    """Those of the vendor's source, with credentials; empty for an account that is
    loaded and no longer configured."""
    currency: str | None = None
    time_zone: str | None = None
    region: str | None = None
    """ISO 3166-1 alpha-2 code of the country in whose national form numbers are."""
    decimal_separator: str | None = None
    """"." or ",", for vendors that send amounts as text, such as "1,019"."""
    has_allowance: bool = False
    """Whether a rate card of it has an allowance: other calls move a price."""


@dataclass(frozen=True)
class Vendor:
    """One vendor with the accounts that have credentials."""

    name: str
    accounts: tuple[Account, ...]
    lookback: timedelta | None
    """As configured; None: each stream's own. See `Stream.lookback_or`."""
    finality_horizon: timedelta
    """The finality horizon: how old a call is when it is final."""


@dataclass(frozen=True)
class Config:
    """The whole configuration of a run."""

    warehouse: Warehouse
    vendors: tuple[Vendor, ...]
    lake: "LakeStore | None" = None
    """Where a lake is configured, whether the warehouse is there or in files."""
    start: date | None = None
    history_days: int = 30
    reporting_time_zone: str = "UTC"
    reporting_currency: str = "USD"
    service_level_seconds: int = 20
    min_contained_seconds: int = 10
    short_abandon_seconds: int = 5
    keep_snapshots: int = 3
    published_mode: int = 0o640
    """The mode of the published file."""
    rate_cards: tuple[RateCard, ...] = ()
    cost_centers: tuple[CostCenterRule, ...] = ()
    invoices: tuple[Invoice, ...] = ()
    privacy: Privacy = field(default_factory=Privacy)
    operation: Operation = field(default_factory=Operation)
    report: Report = field(default_factory=Report)
    building: Building = field(default_factory=Building)
    is_as_of: bool = True
    """True: the time was set with --now, and is not that of the machine's clock."""
    fx_rates: Path | pa.Table = field(
        default_factory=lambda: as_table(()), repr=False, compare=False
    )
    """Their CSV file, which `fx_rates.rates_of` reads for a build only; or rates."""
