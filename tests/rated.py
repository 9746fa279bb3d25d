"""Records as vendors send them, in real raw files, through the real models."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
from conftest import TABLES

from pipelines.commands.run import build_and_publish
from pipelines.config.fx_rates import FxRate, as_table
from pipelines.config.model import Account, Config, Vendor
from pipelines.config.rate_cards import RateCard
from pipelines.warehouse.paths import Warehouse
from transforms.runner.build import BuildResult

NOW = datetime(2026, 4, 20, tzinfo=UTC)
COLUMNS = (
    "account varchar, record_id varchar, event_at timestamptz, window_from timestamptz,"
    " fetched_at timestamptz, payload varchar, _dlt_load_id varchar, load_no bigint"
)
Record: TypeAlias = tuple[str, str, datetime, Mapping[str, Any] | None]
"""Account, id, time, and the payload; None: its vendor no longer lists it."""


@dataclass
class Rated:
    """A warehouse whose raw files are written by hand, a load at a time."""

    folder: Path
    accounts: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {"whippy": ("main",)}
    )
    cards: tuple[RateCard, ...] = ()
    rates: tuple[FxRate, ...] = ()
    currency: str = "USD"
    now: datetime = NOW
    loads: int = 0
    pace: timedelta = timedelta(minutes=1)
    """How far the clock goes on, or back, from load to load."""

    def load(self, vendor: str, records: Sequence[Record], table: str = "") -> None:
        """Land records as one load, later than all before."""
        self.loads += 1
        fetched = NOW - timedelta(days=2) + self.pace * self.loads
        raw = Warehouse(self.folder).raw(vendor)
        raw.parent.mkdir(parents=True, exist_ok=True)
        table = table or TABLES[vendor]
        rows = [
            (account, name, at, at, fetched, payload and json.dumps(payload))
            for account, name, at, payload in records
        ]
        with duckdb.connect(str(raw)) as file:
            file.execute("set timezone = 'UTC'; create schema if not exists raw")
            file.execute(f"create table if not exists raw.{table} ({COLUMNS})")
            insert = (
                f"insert into raw.{table}"
                f" values (?, ?, ?, ?, ?, ?, '{self.loads}', {self.loads})"
            )
            for row in rows:
                file.execute(insert, row)

    def build(self, *, full: bool = False) -> BuildResult:
        """Build and publish, every check included."""
        vendors = tuple(
            Vendor(
                name,
                tuple(Account(name, alias) for alias in aliases),
                None,
                timedelta(days=7),
            )
            for name, aliases in self.accounts.items()
        )
        config = Config(
            warehouse=Warehouse(self.folder),
            vendors=vendors,
            reporting_currency=self.currency,
            rate_cards=self.cards,
            fx_rates=as_table(self.rates),
        )
        return build_and_publish(config, self.now, full=full)[0]

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Query the published file."""
        with duckdb.connect(str(self.folder / "calls.duckdb"), read_only=True) as file:
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
