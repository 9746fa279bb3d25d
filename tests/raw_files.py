"""Raw files that a test writes by hand, and the real models on top of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
from conftest import TABLES

from pipelines.commands.build import build_and_publish
from pipelines.config.building import Building
from pipelines.config.cost_centers import CostCenterRule
from pipelines.config.fx_rates import FxRate, as_table
from pipelines.config.invoices import Invoice
from pipelines.config.model import Account, Config, Vendor
from pipelines.config.privacy import Privacy
from pipelines.config.rate_cards import RateCard
from pipelines.planning.windows import DAY
from pipelines.warehouse.paths import Warehouse
from transforms.runner.build import BuildResult
from transforms.runner.storage import reading

NOW = datetime(2026, 4, 20, tzinfo=UTC)
RECORDS = (
    "account varchar, record_id varchar, event_at timestamptz, window_from timestamptz,"
    " fetched_at timestamptz, payload varchar, _dlt_load_id varchar, load_no bigint"
)
LEDGER = (
    "account varchar, stream varchar, window_start timestamptz, window_end timestamptz,"
    " purpose varchar, state varchar, rows_distinct bigint, rows_quarantined bigint,"
    " requests bigint, started_at timestamptz, error varchar, split_of varchar,"
    " finished_at timestamptz,"
    " _dlt_load_id varchar, load_no bigint"
)
LOADS = "load_id varchar, status bigint, inserted_at timestamptz"
Record: TypeAlias = tuple[str, str, datetime, Mapping[str, Any] | None]
"""Account, id, time, and the payload; None: its vendor no longer lists it."""


@dataclass
class RawFiles:
    """A warehouse whose raw files are written by hand, a load at a time."""

    folder: Path
    accounts: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {"whippy": ("main",)}
    )
    cards: tuple[RateCard, ...] = ()
    cost_centers: tuple[CostCenterRule, ...] = ()
    invoices: tuple[Invoice, ...] = ()
    rates: tuple[FxRate, ...] = ()
    currency: str = "USD"
    time_zone: str = "UTC"
    short_abandon_seconds: int = 5
    now: datetime = NOW
    loads: int = 0
    pace: timedelta = timedelta(minutes=1)
    """How far the clock goes on, or back, from load to load."""
    fetched: datetime | None = None
    """When the next load reads its records, if not by the pace."""
    privacy: Privacy = field(default_factory=Privacy)
    building: Building = field(default_factory=Building)
    settings: dict[str, Any] = field(default_factory=dict)
    """Those of an account, or of all of a vendor's, where they are not the defaults."""
    places: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Currency, region and decimal separator of an account, where it has its own."""

    def load(
        self,
        vendor: str,
        records: Sequence[Record],
        table: str = "",
        minutes: Sequence[int] = (),
    ) -> None:
        """Write records as one load, later than all before.

        ``minutes`` are how much later than the load each record was read, or before.
        """
        fetched = self.fetched or NOW - 2 * DAY + self.pace * (self.loads + 1)
        rows = [
            (
                *(account, name, at, at, fetched + timedelta(minutes=after)),
                payload and json.dumps(payload),
            )
            for (account, name, at, payload), after in zip(
                records, minutes or [0] * len(records), strict=True
            )
        ]
        self.write(vendor, table or TABLES[vendor], RECORDS, rows)

    def write(
        self, vendor: str, table: str, shape: str, rows: Sequence[tuple[Any, ...]]
    ) -> None:
        """Write rows as one load, complete."""
        self.loads += 1
        raw = Warehouse(self.folder).raw(vendor)
        raw.parent.mkdir(parents=True, exist_ok=True)
        names = [column.split()[0] for column in shape.split(", ")]
        places = f"({', '.join(names)}) values ({', '.join('?' * len(names))})"
        load = str(self.loads)
        with duckdb.connect(str(raw)) as file:
            file.execute("set timezone = 'UTC'; create schema if not exists raw")
            for name, columns in (("_dlt_loads", LOADS), (table, shape)):
                file.execute(f"create table if not exists raw.{name} ({columns})")
            # A test that counts loads back writes several tables as one load.
            file.execute(
                "insert into raw._dlt_loads select $load, 0, $now"
                " where $load not in (select load_id from raw._dlt_loads)",
                {"load": load, "now": NOW},
            )
            file.executemany(
                f"insert into raw.{table} {places}",
                [(*row, load, self.loads) for row in rows],
            )

    @property
    def config(self) -> Config:
        def account(vendor: str, alias: str) -> Account:
            own = self.settings.get(alias, self.settings.get(vendor))
            placed = self.places.get(alias, {})
            return Account(vendor, alias, *([own] if own else []), **placed)

        vendors = tuple(
            Vendor(name, tuple(account(name, one) for one in aliases), None, 7 * DAY)
            for name, aliases in self.accounts.items()
        )
        return Config(
            warehouse=Warehouse(self.folder),
            vendors=vendors,
            reporting_currency=self.currency,
            reporting_time_zone=self.time_zone,
            short_abandon_seconds=self.short_abandon_seconds,
            rate_cards=self.cards,
            cost_centers=self.cost_centers,
            invoices=self.invoices,
            privacy=self.privacy,
            building=self.building,
            fx_rates=as_table(self.rates),
        )

    def build(self, *, full: bool = False) -> BuildResult:
        """Build and publish, every check included."""
        return build_and_publish(self.config, self.now, full=full)[0]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Query the published file."""
        with reading(self.folder / "calls.duckdb") as file:
            file.execute("set timezone = 'UTC'")
            return file.execute(sql).fetchall()

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return the rows of every table that analysts read, sorted."""
        names = self.query(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where table_name not like 'built%'"
        )
        return {name: self.query(f"from {name} order by all") for (name,) in names}


def whippy_call(
    name: str, at: datetime, seconds: float | None = 60, account: str = "main"
) -> Record:
    """Return a call of Whippy's, which has no price of its own."""
    payload: dict[str, Any] = {
        "id": name,
        "direction": "INBOUND",
        "delivery_status": "call_completed",
        "created_at": at.isoformat(),
    }
    if seconds is not None:
        payload["duration"] = round(seconds * 1000)
    return account, name, at, payload
