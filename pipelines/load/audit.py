"""Whether vendors still count what is stored of older windows: totals, no records.

Three counts of a window are compared: what its last complete reading brought, what the
raw file has of it now, and the vendor's total today, for which only the first page of
a question is asked.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from math import ceil
from typing import Any, TypeAlias

import msgspec

from pipelines.config.model import Account, Vendor
from pipelines.extract.rate_limit import VendorRun
from pipelines.extract.resources import dlt_source
from pipelines.extract.window_reader import ReadOptions
from pipelines.load.result import AccountWindow
from pipelines.planning.planner import AUDIT, RECHECK, PastRead
from pipelines.planning.request_budget import used_today
from pipelines.planning.windows import DAY, Window
from pipelines.sources import connect
from pipelines.warehouse.ledger import StoredWindow

RECENT = 90 * DAY
ROUND, OLD_ROUND = 6 * DAY, 26 * DAY
"""In so many days every recent window, and every older one, is counted once: in less
than a week and a month, so that a run that is left out does no harm."""
MONTH = 31 * DAY
"""So far a start may be corrected: a call that left its day is looked for there."""
MOST_COUNTS = 500
"""Windows of an account that one run counts at most: a pace, not a flood."""

Totals: TypeAlias = dict[tuple[str, datetime], int | None]
"""The vendor's total by stream and start of a window; None: it did not say."""


@dataclass(frozen=True)
class Counted:
    """Totals that a vendor gave, and the ledger's rows of these questions."""

    totals: Totals
    rows: tuple[dict[str, Any], ...] = ()

    @property
    def requests(self) -> int:
        """How many requests it took."""
        return sum(row["requests"] for row in self.rows)


@dataclass
class Audit:
    """Older windows of a vendor to be counted, and what came of it."""

    vendor: Vendor
    now: datetime
    """When the run began."""
    chosen: Mapping[str, Sequence[StoredWindow]]
    """By account: the windows to count."""
    reads: Sequence[PastRead]
    """The vendor's ledger."""
    blocked: Collection[str] = ()
    """Accounts that are not asked any more in this run."""
    totals: dict[str, Totals] = field(default_factory=dict)
    """By account: what the vendor counts."""
    requests: int = 0
    failed: set[str] = field(default_factory=set)
    """Accounts of which not all chosen windows could be counted."""
    notes: list[str] = field(default_factory=list)
    is_done: bool = False

    def rows(
        self,
        load_no: int,
        run: VendorRun | None,
        given_up: Collection[str] = (),
        made: Iterable[Mapping[str, Any]] = (),
    ) -> list[dict[str, Any]]:
        """Count the chosen windows once, and return the ledger's rows of that.

        The load package that stores them has shown that accounts in ``given_up`` are
        pointless to ask, and has the ledger rows ``made``: their requests are spent
        as well.
        """
        self.is_done = True
        spent = Counter(dict.fromkeys(self.chosen, 0))
        for row in made:
            spent[row["account"]] += row["requests"]
        rows: list[dict[str, Any]] = []
        for account in self.vendor.accounts:
            alias = account.alias
            chosen = self.chosen[alias]
            if alias in self.blocked or alias in given_up:
                self.failed |= {alias} if chosen else set()
                continue
            today = spent[alias] + used_today(self.reads, alias, self.now)
            windows = affordable(account, chosen, today)
            found = count(account, windows, self.now, today, load_no=load_no, run=run)
            rows += found.rows
            self.totals[alias] = found.totals
            self.requests += found.requests
            note = uncounted(account, found)
            self.notes += [note] if note else []
            if note or len(windows) < len(chosen):
                self.failed.add(alias)
        return rows

    def to_read_again(self, stored: Sequence[StoredWindow]) -> list[AccountWindow]:
        """Return the windows that the vendor counts otherwise than is stored now."""
        return [
            asked
            for account in self.vendor.accounts
            if (totals := self.totals.get(account.alias))
            for asked in to_read_again(
                account,
                stored,
                [
                    one
                    for one in comparable(self.vendor, account, stored)
                    if (one.stream.name, one.start) in totals
                ],
                totals,
            )
        ]


@dataclass(frozen=True)
class Difference:
    """Windows of one table and start whose records the vendor counts otherwise."""

    windows: tuple[StoredWindow, ...]
    expected: int
    counted: int | None
    """None: the vendor did not say."""


def comparable(
    vendor: Vendor, account: Account, stored: Sequence[StoredWindow]
) -> list[StoredWindow]:
    """Return an account's windows without those that may rightly differ today.

    A young window may have changed since and is read again anyway, a day that an
    archive has in part is in two places, and some vendors give no total.
    """
    own = sorted(
        (window for window in stored if window.account == account.alias), key=_place
    )
    groups = [list(group) for _, group in groupby(own, _place)]
    return [
        window
        for windows in groups
        if not any(
            _is_young(vendor, one)
            or one.vendor_total is None
            or one.end != windows[0].end
            for one in windows
        )
        for window in windows
    ]


def due(
    windows: Sequence[StoredWindow], reads: Iterable[PastRead], now: datetime
) -> list[StoredWindow]:
    """Return which of an account's windows to count now, the longest uncounted first.

    ``reads`` are the account's. As much of a round is due as time has passed since
    the last count; windows of one table and day come together.
    """
    counted: dict[tuple[str, datetime], datetime] = {}
    for read in reads:
        if read.purpose == AUDIT:
            counted[read.stream, read.interval[0]] = read.started_at

    def checked_at(group: Sequence[StoredWindow]) -> datetime:
        first = group[0]
        at = counted.get((first.stream.name, first.start), first.read_at)
        return max(at, first.read_at)

    groups = [list(group) for _, group in groupby(sorted(windows, key=_place), _place)]
    groups = [group for group in groups if checked_at(group) < now]
    passed = now - max(counted.values(), default=now - DAY)
    found: list[StoredWindow] = []
    for is_recent, length in ((True, ROUND), (False, OLD_ROUND)):
        some = [one for one in groups if (now - one[0].end <= RECENT) is is_recent]
        share = ceil(
            len(some) * min(passed, length).total_seconds() / length.total_seconds()
        )
        some.sort(key=checked_at)
        found += [window for group in some[:share] for window in group]
    return found[:MOST_COUNTS]


def around(
    windows: Sequence[StoredWindow], moments: Iterable[datetime], now: datetime
) -> list[StoredWindow]:
    """Return the windows of a month before and after some moments, not read ``now``."""
    times = sorted(moments)
    return [
        window
        for window in windows
        if window.read_at < now
        and any(window.start - MONTH <= at < window.end + MONTH for at in times)
    ]


def affordable(
    account: Account, windows: Sequence[StoredWindow], spent: int
) -> Sequence[StoredWindow]:
    """Return as many windows as the quota of the day leaves, half of it for reading.

    ``spent`` are the account's requests of today.
    """
    limit = account.settings.daily_requests
    return windows[: max(0, limit - spent) // 2] if limit else windows


def count(
    account: Account,
    windows: Sequence[StoredWindow],
    now: datetime,
    spent: int,
    *,
    load_no: int | None = None,
    run: VendorRun | None = None,
) -> Counted:
    """Ask the vendor for the total of each window; nothing is stored.

    A question that fails has no total. ``spent`` are the account's requests of today.
    """
    if not windows:
        return Counted({})
    options = ReadOptions(
        lambda: now,
        keep_going=True,
        requests_today=spent,
        load_no=load_no,
        run=run,
        counts_only=True,
    )
    settings = msgspec.structs.replace(account.settings, page_size=1)
    counted = dlt_source(
        account.alias,
        [Window(one.start, one.end, one.stream.name, AUDIT) for one in windows],
        connect(account.vendor, settings, options),
        options,
    )
    rows = [
        row for table in counted.resources["load_windows"] for row in table.to_pylist()
    ]
    totals = {(row["stream"], row["window_start"]): row["vendor_total"] for row in rows}
    return Counted(totals, tuple(rows))


def differences(
    windows: Sequence[StoredWindow], totals: Totals
) -> Iterator[Difference]:
    """Yield by table and start what the vendor counts otherwise than is stored.

    Streams of one table share its records. What a question returned beyond its
    window, the second more that is asked and the records in the quarantine, it
    returns today as well.
    """
    for _, group in groupby(sorted(windows, key=_place), _place):
        parts = tuple(group)
        beyond = sum((one.vendor_total or 0) - one.rows_inside for one in parts)
        expected = parts[0].rows_stored + beyond
        found = [totals.get((one.stream.name, one.start)) for one in parts]
        given = [one for one in found if one is not None]
        counted = sum(given) if len(given) == len(found) else None
        if counted != expected:
            yield Difference(parts, expected, counted)


def to_read_again(
    account: Account,
    stored: Sequence[StoredWindow],
    windows: Sequence[StoredWindow],
    totals: Totals,
) -> list[AccountWindow]:
    """Return the windows that the vendor counts otherwise, to be read again.

    Where it counts fewer, the days beside are read too: a call at the edge of its day
    can be listed by two windows, and no reading of one of them shows a deletion.
    """
    found: dict[tuple[str, datetime], StoredWindow] = {}
    for difference in differences(windows, totals):
        if difference.counted is None:
            continue
        for one in difference.windows:
            found[one.stream.name, one.start] = one
        if difference.counted < difference.expected:
            found |= {
                (one.stream.name, one.start): one
                for one in stored
                if one.account == account.alias
                and any(_are_beside(one, other) for other in difference.windows)
            }
    return [
        (account, Window(one.start, one.end, one.stream.name, RECHECK))
        for one in found.values()
    ]


def _are_beside(one: StoredWindow, other: StoredWindow) -> bool:
    is_edge_shared = one.end == other.start or one.start == other.end
    return is_edge_shared and one.stream.name == other.stream.name


def uncounted(account: Account, counted: Counted) -> str:
    """Return a note about questions that failed, or ""."""
    errors = [row["error"] for row in counted.rows if row["state"] == "failed"]
    if not errors:
        return ""
    return (
        f"{account.alias}: {len(errors)} older windows could not be counted, they are "
        f"asked again in the next round: {errors[0]}"
    )


def _place(window: StoredWindow) -> tuple[str, datetime]:
    return window.stream.table, window.start


def _is_young(vendor: Vendor, window: StoredWindow) -> bool:
    again = window.stream.lookback_or(vendor.lookback)
    return window.read_at < window.end + again
