"""What an operator should know of and act on: one incident per kind and subject.

`callhouse status` and `callhouse notify` find the same ones here.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from humanize import intcomma

from pipelines.commands.pace import duration
from pipelines.commands.status import AccountStatus, Status, read_status
from pipelines.config.model import Config
from pipelines.extract.errors import clean
from pipelines.warehouse.journal import read_runs
from pipelines.warehouse.migration import refuse_other_tables
from pipelines.warehouse.opening import FileError, is_present
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.published_queries import Row, queries_with

DAYS_NAMED = 3
"""How many days a message names."""
QUOTA_LEFT = 0.1
"""The share of a daily quota below which it is nearly gone."""
REMEDIES = {
    "unpublished": "run: callhouse run",
    "unreadable": "run: callhouse doctor, which names the remedy",
    "build": "run: callhouse transform; docs/failure.md says what a check means",
    "stale": "see whether it is still scheduled: callhouse schedule show; then run: "
    "callhouse run",
    "run": "run: callhouse run; callhouse doctor asks the vendor with one request",
    "incomplete": "run: callhouse run, which reads what is open; callhouse status -v "
    "shows the errors",
    "mismatch": "run: callhouse verify, which names the command that repairs it",
    "quarantine": "see: callhouse quarantine list; after an upgrade: callhouse "
    "quarantine retry",
    "disappearance": "ask the vendor; if it did delete them: callhouse backfill "
    "--force --confirm-deletions",
    "fields": "see ops.field_changes; nothing is lost, records are kept as they came",
    "words": "see ops.unmapped_values; the calls are there, with outcome unknown or "
    "without an amount",
    "quota": "nothing now: the next run goes on; or set daily_requests higher",
    "volume": "see whether the vendor or the business changed: callhouse verify "
    "compares with the vendor's totals",
    "cost": "see what cost it: select * from daily_costs of that day, and callhouse "
    "bill",
    "invoice": "run: callhouse bill VENDOR MONTH, which says what may explain it",
}
"""By kind: what to do."""
TITLES = {
    "unpublished": "Nothing is published yet",
    "unreadable": "The published file cannot be read",
    "build": "The last build failed",
    "stale": "The tables are stale",
    "run": "A run failed",
    "incomplete": "Days or windows are not all there",
    "mismatch": "The vendor's totals differ",
    "quarantine": "Records could not be read",
    "disappearance": "Many calls are no longer listed",
    "fields": "Fields of the vendor changed",
    "words": "The vendor uses new words",
    "quota": "The daily quota is nearly gone",
    "volume": "An unusual number of calls",
    "cost": "An unusual cost",
    "invoice": "An invoice differs",
}


class Incident(msgspec.Struct, frozen=True):
    """Something that is not as it should be, until it is well again."""

    kind: str
    subject: str
    """The account or vendor; "": the whole warehouse."""
    what: str
    since: datetime | None = None
    """When it began, as far as that is known."""

    @property
    def key(self) -> tuple[str, str]:
        """What it is sent once for, however its counts change."""
        return self.kind, self.subject

    @property
    def title(self) -> str:
        """Return the incident in some words."""
        title = TITLES.get(self.kind, self.kind)
        return f"{self.subject}: {title}" if self.subject else title

    @property
    def remedy(self) -> str:
        """What to do."""
        return REMEDIES.get(self.kind, "run: callhouse status -v")


def all_incidents(
    config: Config, now: datetime, max_age: timedelta
) -> tuple[list[Incident], Status | None]:
    """Return every incident, and the status; None: there is no file that can be read.

    A published file that is missing or cannot be read is an incident itself.
    """
    warehouse = config.warehouse
    try:
        if not is_present(warehouse.tables):
            found = [Incident("unpublished", "", _nothing(warehouse))]
            return found + list(_failed_runs(config, ())), None
        refuse_other_tables(warehouse.tables)
        status = read_status(warehouse, now, max_age)
        variables = {"factor": config.operation.notify.unusual_factor}
        with queries_with(warehouse.tables, variables) as rows:
            noted, unusual = rows("incidents"), rows("unusual_days")
    except FileError as error:
        found = [Incident("unreadable", "", str(error))]
        return found + list(_failed_runs(config, ())), None
    found = [
        *of_status(status),
        *map(_noted, noted),
        *_quotas(status),
        *map(_unusual, unusual),
    ]
    return found + list(_failed_runs(config, found)), status


def _nothing(warehouse: Warehouse) -> str:
    place = "calls.duckdb" if warehouse.lake is None else f"{warehouse.tables}"
    return f"there is no {place}"


def of_status(status: Status) -> list[Incident]:
    """Return what is wrong with the tables as a whole: failed, stale or incomplete."""
    found = []
    if status.build_error:
        what = clean(status.build_error)
        found.append(Incident("build", "", what, status.build_failed_at))
    if status.is_stale:
        what = f"the last build is {duration(status.age.total_seconds())} old"
        found.append(Incident("stale", "", what, status.as_of + status.max_age))
    return found + [one for own in status.accounts for one in _incomplete(status, own)]


def _incomplete(status: Status, own: AccountStatus) -> Iterator[Incident]:
    """Yield an account's incident if days that were due at the last build lack."""
    if not own.facts["is_configured"]:
        return
    days = sorted(
        day
        for state in ("missing", "partial")
        for day in own.lacking(state, status.as_of)
    )
    windows = sum(row["windows_open"] for row in own.streams)
    parts = []
    if days:
        named = ", ".join(f"{day}" for day in days[-DAYS_NAMED:])
        more = len(days) - DAYS_NAMED
        parts.append(named + (f" and {more} older days" if more > 0 else ""))
    if windows:
        parts.append("1 open window" if windows == 1 else f"{windows} open windows")
    if not parts:
        return
    opened = [row["open_since"] for row in own.streams if row["open_since"]]
    opened += [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days[:1]]
    errors = [row["last_error"] for row in own.streams if row["last_error"]]
    parts += [clean(errors[0])] if errors else []
    yield Incident("incomplete", own.name, "; ".join(parts), min(opened, default=None))


def _noted(row: Row) -> Incident:
    count, names = intcomma(row["amount"]), clean(row["names"] or "")
    is_one = row["amount"] == 1
    records = "record" if is_one else "records"
    windows = "window has" if is_one else "windows have"
    what = {
        "mismatch": f"{count} {windows} another number of records than the vendor's",
        "quarantine": f"{count} {records} could not be read: see the quarantine",
        "disappearance": f"{count} stored {records} missing in a read that is not "
        "believed, so that nothing was marked deleted",
        "fields": f"{count}: {names}",
        "words": f"{count} that nothing here can use, in {names}",
        "invoice": f"billed less expected: {names}",
    }[row["kind"]]
    subject = " ".join(one for one in (row["vendor"], row["account"]) if one)
    return Incident(row["kind"], subject, what, row["since"])


def _quotas(status: Status) -> Iterator[Incident]:
    for own in status.accounts:
        limit, left = own.facts["daily_requests"], own.facts["requests_left"]
        if limit and left < QUOTA_LEFT * limit:
            what = f"{intcomma(left)} of {intcomma(limit)} requests are left today"
            since = status.now.replace(hour=0, minute=0, second=0, microsecond=0)
            yield Incident("quota", own.name, what, since)


def _unusual(row: Row) -> Incident:
    unit = row["currency"] or "calls"
    digits = 0 if row["currency"] is None else 2
    amount, usual = (f"{row[name]:,.{digits}f}" for name in ("amount", "usual"))
    what = (
        f"{amount} {unit} on {row['date']:%A, %Y-%m-%d}; the median of the "
        f"{row['weeks']} same weekdays before is {usual}"
    )
    day = row["date"]
    since = datetime(day.year, day.month, day.day, tzinfo=UTC)
    subject = f"{row['vendor']} {row['account']}"
    return Incident(row["kind"], subject, what, since)


def _failed_runs(config: Config, known: Sequence[Incident]) -> Iterator[Incident]:
    """Yield the vendors whose last run failed, without those of a known incident.

    One cause is one incident: a failed run leaves days open, or records in quarantine.
    """
    known_of = {one.subject.split(" ")[0] for one in known}
    runs: dict[str, list[Row]] = {}
    for row in read_runs(config.warehouse).to_pylist():
        if row["command"] in {"load", "backfill"}:
            runs.setdefault(row["vendor"], []).append(row)
    for vendor in config.vendors:
        rows = runs.get(vendor.name, [])
        if vendor.name in known_of or not rows or rows[-1]["outcome"] == "complete":
            continue
        failed = rows[-1]
        for row in reversed(rows):
            if row["outcome"] == "complete":
                break
            failed = row
        what = clean(rows[-1]["error"] or "not all windows were read")
        yield Incident("run", vendor.name, what, failed["started_at"])
