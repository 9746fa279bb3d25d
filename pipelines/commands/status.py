"""``callhouse status``: what is stored of every account, how far, and what is open."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pipelines.warehouse.journal import read_runs
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.published_queries import Row, rows_of

MAX_AGE = timedelta(hours=30)
"""A nightly build is older only when one was missed, with some hours to spare."""
LISTED_LATE = timedelta(hours=1)
"""What happened so shortly before a build may not be listed yet."""


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

    def lacking(self, state: str, at: datetime) -> list[date]:
        """Return the days in a state that were over, and so were due, at a time."""
        due = (at - LISTED_LATE).date()
        past = (row for row in self.days if row["day"] < due)
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
    max_age: timedelta = MAX_AGE
    """An older build is stale."""
    build_error: str | None = None
    """The error of a build that failed after the published one; None: there is none."""
    build_failed_at: datetime | None = None
    """When the first of the builds began that failed since; None: none did."""

    @property
    def age(self) -> timedelta:
        """How old the published tables are."""
        return self.now - self.as_of

    @property
    def is_stale(self) -> bool:
        """Return True if a build is overdue."""
        return self.age > self.max_age

    @property
    def due_at(self) -> datetime:
        """By when a day must be over to be due: at the last build, or now if stale."""
        return self.now if self.is_stale else self.as_of

    @property
    def windows_open(self) -> int:
        """The number of incomplete windows, which the next run reads again."""
        return sum(row["windows_open"] for one in self.accounts for row in one.streams)


def read_status(
    warehouse: Warehouse, now: datetime, max_age: timedelta = MAX_AGE
) -> Status:
    """Return the status of the published file.

    Days since its build are to come, and missing once it is older than ``max_age``.
    Only the journal beside it knows of a build that failed after it.
    """
    runs, published = read_runs(warehouse).to_pylist(), warehouse.tables
    ((as_of,),) = (row.values() for row in rows_of(published, "status_clock"))
    now = max(now, as_of)

    def by_account(name: str) -> dict[tuple[str, str], list[Row]]:
        found: dict[tuple[str, str], list[Row]] = {}
        for row in rows_of(published, name, now):
            found.setdefault((row["vendor"], row["account"]), []).append(row)
        return found

    days = by_account("status_days")
    if now - as_of <= max_age:
        for row in (row for rows in days.values() for row in rows):
            if row["state"] == "missing" and row["day"] >= as_of.date():
                row["state"] = "in_future"
    streams = by_account("status_streams")
    accounts = [
        AccountStatus(facts, days.get(key, []), streams.get(key, []))
        for key, (facts,) in by_account("status_accounts").items()
    ]
    failed = list(_failed_builds(runs, as_of))
    return Status(
        as_of,
        now,
        accounts,
        max_age=max_age,
        missing_rates=rows_of(published, "missing_rates"),
        field_changes=rows_of(published, "field_changes"),
        build_error=failed[-1]["error"] if failed else None,
        build_failed_at=failed[0]["started_at"] if failed else None,
    )


def _failed_builds(runs: Sequence[Row], as_of: datetime) -> Iterator[Row]:
    """Yield the builds after the published one: only those that failed are there."""
    for row in runs:
        if row["command"] == "build" and row["started_at"] > as_of:
            yield row
