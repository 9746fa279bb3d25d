"""``callhouse status``: what is stored of every account, how far, and what is open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pipelines.warehouse.journal import read_runs
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.published_queries import Row, rows_of


@dataclass(frozen=True)
class AccountStatus:
    """What is stored of one account: its facts, its days and its streams."""

    facts: Row
    days: Sequence[Row]
    """Each UTC day from the first asked for up to now's: day, state, records."""
    streams: Sequence[Row]

    @property
    def name(self) -> str:
        """Vendor and account."""
        return f"{self.facts['vendor']} {self.facts['account']}"

    def lacking(self, state: str) -> list[date]:
        """Return the days before today that are in a state."""
        past = self.days[:-1] if self.facts["is_configured"] else self.days
        return [row["day"] for row in past if row["state"] == state]

    @property
    def newest_closed(self) -> date | None:
        """The newest day that will not be read again; None: there is none."""
        return max((row["day"] for row in self.days if row["is_settled"]), default=None)


@dataclass(frozen=True)
class Status:
    """What a published file says at a time, which may be later than its build."""

    as_of: datetime
    now: datetime
    accounts: Sequence[AccountStatus]
    missing_rates: Sequence[Row] = ()
    field_changes: Sequence[Row] = ()
    """Currencies of calls whose cost could not be converted."""
    build_error: str | None = None
    """The error of a build that failed after the published one; None: there is none."""

    @property
    def windows_open(self) -> int:
        """The number of incomplete windows, which the next run reads again."""
        return sum(row["windows_open"] for one in self.accounts for row in one.streams)


def read_status(warehouse: Warehouse, now: datetime) -> Status:
    """Return the status of the published file; days since its build count as missing.

    Only the journal beside it knows of a build that failed after it.
    """
    runs, published = read_runs(warehouse).to_pylist(), warehouse.published
    ((as_of,),) = (row.values() for row in rows_of(published, "status_clock"))
    now = max(now, as_of)

    def by_account(name: str) -> dict[tuple[str, str], list[Row]]:
        found: dict[tuple[str, str], list[Row]] = {}
        for row in rows_of(published, name, now):
            found.setdefault((row["vendor"], row["account"]), []).append(row)
        return found

    days = by_account("status_days")
    streams = by_account("status_streams")
    accounts = [
        AccountStatus(facts, days.get(key, []), streams.get(key, []))
        for key, (facts,) in by_account("status_accounts").items()
    ]
    builds = [one for one in runs if one["command"] == "build"]
    error = builds[-1]["error"] if builds and builds[-1]["started_at"] > as_of else None
    return Status(
        as_of,
        now,
        accounts,
        missing_rates=rows_of(published, "missing_rates"),
        field_changes=rows_of(published, "field_changes"),
        build_error=error,
    )
