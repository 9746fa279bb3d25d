"""What a run does about stored records that did not come.

After its own windows it reads what is still needed to judge: windows that are known to
have records, and the days beside. Then it stores the verdict as one load package: the
deleted records, the suspicions for the next run, and the state of the windows in which
records are missing.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from msgspec.structs import replace

from pipelines.config.model import Account, Vendor
from pipelines.extract.raw_schema import ABSENCES, LEDGER, RECORDS
from pipelines.load.change_detection import Tally
from pipelines.load.result import AccountWindow, key, key_of
from pipelines.load.silence import asked_once, is_unchecked
from pipelines.planning.deletion import (
    Judgment,
    Missing,
    StreamReads,
    Suspicion,
    WindowRead,
    days_beside,
    doubt_of,
    is_confirmed,
    judge,
    most_at_once,
)
from pipelines.planning.planner import PENDING_READ, RECHECK, PastRead, reach
from pipelines.planning.reasons import EXPIRED, MISSING, SILENT
from pipelines.planning.stream import Stream
from pipelines.planning.windows import (
    DAY,
    EVER_SO_SHORT,
    Interval,
    Window,
    midnight,
    subtract,
)
from pipelines.sources import streams_of
from pipelines.warehouse.journal import LoadResult
from pipelines.warehouse.ledger import suspicions
from pipelines.warehouse.records import (
    Keys,
    MissingRecord,
    days_with_records,
    missing_of,
    seen_again,
)
from transforms.runner.storage import Place

CONTROLS = 3
"""How many windows with stored records are read, to see if any still come."""
SILENCE = (
    "no window that holds records still had any, so the vendor may be answering "
    "nothing at all"
)
ROUNDS = 8
"""How often days beside are read: records may be missing there too, and so on."""

LONG_AGO = datetime.min.replace(tzinfo=UTC)

Row: TypeAlias = dict[str, Any]
_Place: TypeAlias = tuple[Account, Stream]
Found: TypeAlias = tuple[_Place, dict[str, Suspicion], StreamReads, list[Missing]]
"""The suspicions of one account's stream, its reads, and what is missing."""


@dataclass
class RunReads:
    """What a run has read so far of one vendor."""

    since: datetime
    """When the run began."""
    first_load: int
    """Number of its first load: records with it or a greater one came since then."""
    rows: list[Row] = field(default_factory=list)
    """The ledger row of each window."""
    same: dict[str, list[Keys]] = field(default_factory=dict)
    """By table: the records that came unchanged."""
    controlled: set[tuple[str, str]] = field(default_factory=set)
    """Accounts and streams whose windows with stored records were read as a control."""

    @property
    def last_load(self) -> int:
        """Return the number of the last load so far."""
        return max((row["load_no"] for row in self.rows), default=self.first_load)

    def add(self, tally: Tally) -> None:
        """Add a load package."""
        self.rows += tally.ledger
        for table, keys in tally.same.items():
            self.same.setdefault(table, []).extend(keys)

    def seen(self, table: str) -> Keys:
        """Return the records of a table that came unchanged."""
        return np.concatenate([np.empty(0, np.uint64), *self.same.get(table, [])])

    def of(self, place: _Place, until: datetime) -> StreamReads:
        """Return the reads of one account's stream that can prove a deletion."""
        account, stream = place
        rows = [
            row
            for row in self.rows
            if (row["account"], row["stream"]) == (account.alias, stream.name)
        ]
        return StreamReads(
            tuple(
                WindowRead(
                    (row["window_start"], row["window_end"]),
                    row["started_at"],
                    row["rows_inside"],
                    row["rows_known"],
                )
                for row in rows
                if _proves(stream, row)
            ),
            until,
            (
                *_forgotten(stream, self.since),
                *(
                    (row["window_start"], row["window_end"])
                    for row in rows
                    if row["reason"] == EXPIRED
                ),
            ),
        )


@dataclass
class Verdict:
    """What a run concluded about stored records that did not come."""

    tables: dict[str, pa.Table] = field(default_factory=dict)
    """What to store, as one load package."""
    windows: int = 0
    """How many windows it makes complete, less those that it makes incomplete."""
    proven: dict[str, list[datetime]] = field(default_factory=dict)
    """By account: the times of the calls that are marked deleted by proof."""
    deleted: int = 0
    errors: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def places_of(vendor: Vendor) -> list[_Place]:
    """Return the accounts' streams whose reads can show that a record is deleted."""
    return [
        (account, stream)
        for account in vendor.accounts
        for stream in streams_of(vendor.name)
        if stream.proves_absence
    ]


def missing_in(
    raw: Place,
    places: Sequence[_Place],
    run: RunReads,
    now: datetime,
    confirmed: Interval | None,
) -> Iterator[Found]:
    """Yield the suspicions of each account's stream, its reads, and what is missing.

    A stored record is missing when it lies in a window that the run has read, and did
    not come. A record that the window of a day beside once brought does not count: this
    run has not read that day. If it is suspected or confirmed, it does count, and that
    day is read.
    """
    known = suspicions(raw)
    for account, stream in places:
        place = (account.alias, stream.table)
        own = {one.record_id: one for one in known if (one.account, one.table) == place}
        reads = run.of((account, stream), reach(stream, now))
        spans = [(account.alias, part) for part in reads.proven]
        found: list[MissingRecord] = []
        if spans:
            seen = run.seen(stream.table)
            found = missing_of(raw, stream, spans, seen, run.first_load)
        missing = [
            one.missing
            for one in found
            if one.is_listed_here
            or one.missing.record_id in own
            or is_confirmed(one.missing, confirmed)
        ]
        yield (account, stream), own, reads, missing


def still_to_read(
    raw: Place,
    found: Sequence[Found],
    run: RunReads,
    now: datetime,
    confirmed: Interval | None,
) -> list[AccountWindow]:
    """Return the windows that a run must also read before it can judge ``found``."""
    read = {key_of(row) for row in run.rows if row["purpose"] != PENDING_READ}
    windows: list[AccountWindow] = []
    for place, own, reads, missing in found:
        account, stream = place
        if not missing and not reads.is_silent:
            continue
        sure = [one for one in missing if is_confirmed(one, confirmed)]
        rest = [one for one in missing if one not in sure]
        doubt = doubt_of(rest, own, reads)
        if doubt:
            rest = []
        days = days_beside([*sure, *rest], reads)
        if doubt == "no_control" or reads.is_silent:
            days += _controls(raw, place, run, reads)
        rechecks = [Window(*day, stream.name, RECHECK) for day in sorted(set(days))]
        windows += [
            (account, window)
            for window in rechecks
            if key((account, window)) not in read and stream.lists_all(window, now)
        ]
    return windows


def verdict_on(
    raw: Place,
    found: Sequence[Found],
    run: RunReads,
    now: datetime,
    confirmed: Interval | None,
    *,
    uncounted: Collection[str] = (),
    past: Sequence[PastRead] = (),
) -> Verdict:
    """Return which missing records of ``found`` are deleted, suspected or doubted.

    Missing records in the span ``confirmed`` are deleted, since the operator says so.
    For accounts in ``uncounted`` nothing is proven: a call may have moved into a window
    that could not be counted. ``past`` are the reads of earlier runs.
    """
    verdict = Verdict()
    rows: dict[str, list[Row]] = {}
    load_no = {"load_no": run.last_load}
    for place, own, reads, missing in found:
        account, stream = place
        judgment = judge(missing, own, reads, confirmed)
        if account.alias in uncounted:
            judgment = judgment.only_confirmed(confirmed)
        changes = [*_changes(place, judgment, own, reads)]
        changes += _ended(raw, place, own, run, now)
        deleted = [_tombstone(account, one, reads) for one in judgment.deleted]
        windows = list(_states(place, judgment, run))
        if not missing and is_unchecked(raw, account, stream, reads, now):
            unchecked = list(asked_once(account, run.rows, past))
            verdict.errors += [after["error"] for _, after in unchecked[:1]]
            windows += unchecked
        for table, new in (("absences", changes), (stream.table, deleted)):
            rows.setdefault(table, []).extend(row | load_no for row in new)
        rows.setdefault("load_windows", []).extend(after for _, after in windows)
        verdict.windows += sum(_closes(*pair) for pair in windows)
        verdict.deleted += len(deleted)
        verdict.proven.setdefault(account.alias, []).extend(
            one.event_at for one in judgment.deleted if not is_confirmed(one, confirmed)
        )
        verdict.errors += _errors(place, judgment)
        verdict.notes += _notes(place, judgment)
    schemas = {"absences": ABSENCES, "load_windows": LEDGER}
    verdict.tables = {
        table: pa.Table.from_pylist(new, schema=schemas.get(table, RECORDS))
        for table, new in rows.items()
        if new
    }
    return verdict


def with_verdict(result: LoadResult, verdict: Verdict) -> LoadResult:
    """Add a verdict to the result of a run."""
    return replace(
        result,
        windows=result.windows + verdict.windows,
        deleted=result.deleted + verdict.deleted,
        errors=(*result.errors, *verdict.errors),
        notes=(*result.notes, *verdict.notes),
    )


def _closes(before: Row, after: Row) -> int:
    return int(after["state"] == "complete") - int(before["state"] == "complete")


def _controls(
    raw: Place, place: _Place, run: RunReads, reads: StreamReads
) -> list[Interval]:
    """Return the newest days with records that the run has not read; once."""
    account, stream = place
    if (account.alias, stream.name) in run.controlled:
        return []
    run.controlled.add((account.alias, stream.name))
    days = days_with_records(raw, stream.table, account.alias, reads.until)
    return [
        (day, min(day + DAY, reads.until))
        for day in days
        if subtract((day, min(day + DAY, reads.until)), reads.proven)
    ][:CONTROLS]


def _forgotten(stream: Stream, now: datetime) -> list[Interval]:
    """Return the days of which a stream no longer lists every record, as one interval.

    To ask for them would prove nothing, and a call beside them would never be judged.
    """
    if stream.complete_for == timedelta.max:
        return []
    return [(LONG_AGO, midnight(now - stream.complete_for - EVER_SO_SHORT))]


def _proves(stream: Stream, row: Row) -> bool:
    """Return True if a read of a window proves that other records are not in it.

    A read by ids does not, nor one whose list changed meanwhile, that has fewer records
    than the vendor counts, or a record that cannot be read.
    """
    is_complete = row["state"] == "complete" and row["reason"] is None
    is_whole = is_complete or row["reason"] == MISSING
    window = Window(row["window_start"], row["window_end"], stream.name)
    return (
        is_whole
        and row["rows_inside"] is not None
        and not row["rows_quarantined"]
        and stream.lists_all(window, row["started_at"])
    )


def _changes(
    place: _Place,
    judgment: Judgment,
    own: dict[str, Suspicion],
    reads: StreamReads,
) -> Iterator[Row]:
    """Yield the rows of the missing records whose state is new."""
    states = {
        "deleted": judgment.deleted,
        "suspected": judgment.suspected,
        "doubted": judgment.doubted,
    }
    for state, found in states.items():
        for one in found:
            before = own.get(one.record_id)
            is_known = before is not None and (before.is_believed or state == "doubted")
            if state == "deleted" or not is_known:
                yield _absence(place, one, reads.started_at(one.event_at), state)


def _ended(
    raw: Place,
    place: _Place,
    own: dict[str, Suspicion],
    run: RunReads,
    now: datetime,
) -> Iterator[Row]:
    """Yield the suspicions that have turned out wrong, or can no longer be proven."""
    _, stream = place
    if not own:
        return
    seen = seen_again(
        raw, stream.table, list(own.values()), run.seen(stream.table), run.first_load
    )
    expired = [
        (row["window_start"], row["window_end"])
        for row in run.rows
        if row["stream"] == stream.name and row["reason"] == EXPIRED
    ]
    for one in own.values():
        missing = Missing(one.record_id, one.event_at)
        moment = (one.event_at, one.event_at + EVER_SO_SHORT)
        is_late = not stream.lists_all(Window(*moment, stream.name), now)
        if (one.account, one.record_id) in seen:
            yield _absence(place, missing, now, "present")
        elif is_late or not subtract(moment, expired):
            yield _absence(place, missing, now, "lapsed")


def _absence(place: _Place, one: Missing, read_at: datetime, state: str) -> Row:
    account, stream = place
    return {
        "account": account.alias,
        "record": stream.table,
        "record_id": one.record_id,
        "read_at": read_at,
        "event_at": one.event_at,
        "since": read_at,
        "state": state,
    }


def _tombstone(account: Account, one: Missing, reads: StreamReads) -> Row:
    """Return the version that marks a record as deleted by its vendor."""
    started_at = reads.started_at(one.event_at)
    day = one.event_at.astimezone(UTC).replace(hour=0, minute=0, second=0)
    return {
        "account": account.alias,
        "record_id": one.record_id,
        "event_at": one.event_at,
        "window_from": day.replace(microsecond=0),
        "fetched_at": started_at,
        "payload": None,
    }


def _states(
    place: _Place, judgment: Judgment, run: RunReads
) -> Iterator[tuple[Row, Row]]:
    """Yield the ledger rows that the verdict changes, before and after.

    If records are missing and that is not believed, empty windows of the account are
    not believed either: a day read for the first time would else stay empty.
    """
    account, stream = place
    is_silent = judgment.doubt in {"no_control", "too_many"}
    for row in run.rows:
        if row["account"] != account.alias:
            continue
        is_own = row["stream"] == stream.name and _proves(stream, row)
        inside = [
            one
            for one in judgment.doubted
            if is_own and row["window_start"] <= one.event_at < row["window_end"]
        ]
        if inside:
            opened = {"state": "partial", "reason": MISSING}
            opened["error"] = _doubted_window(row, len(inside), judgment)
            if row["purpose"] == PENDING_READ:  # an incomplete window from now on
                opened["purpose"] = RECHECK
            yield row, row | opened
        elif is_silent and _is_empty(row):
            error = f"{row['window_start']:%Y-%m-%d}: nothing came, and {SILENCE}"
            yield row, row | {"state": "partial", "reason": SILENT, "error": error}
        elif is_own and row["reason"] == MISSING:
            yield row, row | {"state": "complete", "reason": None, "error": None}


def _is_empty(row: Row) -> bool:
    """Return True if a complete window was read and nothing came."""
    is_window = bool(row["state"] == "complete" and row["purpose"] != PENDING_READ)
    return is_window and not row["rows_fetched"]


def _doubted_window(row: Row, count: int, judgment: Judgment) -> str:
    return (
        f"{row['window_start']:%Y-%m-%d}: {count} stored records did "
        f"not come, and {_why(judgment)}; nothing is marked deleted, the window is "
        "read again in the next run"
    )


def _why(judgment: Judgment) -> str:
    missing = len(judgment.doubted)
    if judgment.doubt == "too_many":
        most = most_at_once(judgment.stored)
        return (
            f"{missing} of {judgment.stored} missing at once are more than the {most} "
            "that are believed"
        )
    if judgment.doubt == "no_control":
        return SILENCE
    return "the days beside them could not be read"


def _errors(place: _Place, judgment: Judgment) -> Iterator[str]:
    if not judgment.doubted:
        return
    account, stream = place
    times = [one.event_at for one in judgment.doubted]
    first, last = (f"{at.astimezone(UTC):%Y-%m-%d}" for at in (min(times), max(times)))
    days = first if first == last else f"{first} to {last}"
    yield (
        f"{account.alias}, {stream.name}: {len(times)} stored records of {days} "
        f"did not come, and {_why(judgment)}; nothing is marked deleted, these "
        "windows stay open and the next run reads them again. If the vendor really "
        "deleted them: callhouse backfill --force --confirm-deletions --vendor "
        f"{account.vendor} --from {first} --to {last}"
    )


def _notes(place: _Place, judgment: Judgment) -> Iterator[str]:
    if judgment.suspected:
        account, stream = place
        yield (
            f"{account.alias}, {stream.name}: {len(judgment.suspected)} stored records "
            "did not come; they are marked deleted when a run at least 20 hours later "
            "misses them too"
        )
