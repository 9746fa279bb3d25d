"""Compare the vendors' totals of older windows with what is stored.

Three counts of a window are compared: what its last complete read brought, what the
raw file has of it now, and the vendor's total today. For that total only the first page
is requested, with one record.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from math import ceil
from typing import Any, TypeAlias, TypeVar

import msgspec

from pipelines.config.model import Account, Vendor
from pipelines.extract.rate_limit import VendorRun
from pipelines.extract.resources import portions_of
from pipelines.extract.window_reader import ReadOptions
from pipelines.load.result import AccountWindow
from pipelines.planning.planner import AUDIT, RECHECK, PastRead
from pipelines.planning.request_budget import used_today
from pipelines.planning.windows import DAY, Interval, Window
from pipelines.sources import connect
from pipelines.warehouse.ledger import ReadWindow, StoredWindow

RECENT = 90 * DAY
ROUND, OLD_ROUND = 6 * DAY, 26 * DAY
"""In this time every recent window, and every older one, is counted once: less than a
week and a month, so that a missed run does no harm."""
MONTH = 31 * DAY
"""How far away a call is searched whose start was corrected to another day."""
MOST_COUNTS = 500
"""How many windows of an account one run counts at most."""

_Window = TypeVar("_Window", bound=ReadWindow)
Totals: TypeAlias = dict[tuple[str, datetime], int | None]
"""The vendor's total by stream and start of a window; None: it gave none."""
CountStored: TypeAlias = Callable[[str, str, Interval], int]
"""From a table, an account and a span to how many records are stored."""


@dataclass(frozen=True)
class Counted:
    """Totals that a vendor gave, and the ledger rows of these requests."""

    totals: Totals
    rows: tuple[dict[str, Any], ...] = ()

    @property
    def requests(self) -> int:
        """How many requests it took."""
        return sum(row["requests"] for row in self.rows)


@dataclass
class Audit:
    """Older windows of a vendor to be counted, and the result."""

    vendor: Vendor
    now: datetime
    """When the run began."""
    chosen: Mapping[str, Sequence[ReadWindow]]
    """By account: the windows to count."""
    reads: Sequence[PastRead]
    """The vendor's ledger."""
    blocked: Collection[str] = ()
    """Accounts of which this run requests nothing more."""
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
        """Count the chosen windows once, and return the ledger rows of the counts.

        Accounts in ``given_up`` would fail again and are left out. ``made`` are the
        ledger rows of the same load package: their requests count for the quota too.
        """
        self.is_done = True
        quota_used = Counter(dict.fromkeys(self.chosen, 0))
        for row in made:
            quota_used[row["account"]] += row["requests"]
        rows: list[dict[str, Any]] = []
        for account in self.vendor.accounts:
            alias = account.alias
            chosen = self.chosen[alias]
            if alias in self.blocked or alias in given_up:
                self.failed |= {alias} if chosen else set()
                continue
            today = quota_used[alias] + used_today(self.reads, alias, self.now)
            windows = within_quota(account, chosen, today)
            found = count(account, windows, self.now, today, load_no=load_no, run=run)
            rows += found.rows
            self.totals[alias] = found.totals
            self.requests += found.requests
            note = uncounted_note(account, found)
            self.notes += [note] if note else []
            if note or len(windows) < len(chosen):
                self.failed.add(alias)
        return rows

    def to_read_again(
        self, stored: Sequence[ReadWindow], count: CountStored
    ) -> list[AccountWindow]:
        """Return the windows whose count differs from what is stored now.

        ``count`` says how many records of a table, account and span are stored.
        """
        return [
            window
            for account in self.vendor.accounts
            if (totals := self.totals.get(account.alias))
            for window in to_read_again(
                account,
                stored,
                [
                    StoredWindow(**vars(one), rows_stored=count(*_place_of(one)))
                    for one in comparable(self.vendor, account, stored)
                    if (one.stream.name, one.start) in totals
                ],
                totals,
            )
        ]


@dataclass(frozen=True)
class Difference:
    """Windows of one table and start whose count differs from what is stored."""

    windows: tuple[StoredWindow, ...]
    expected: int
    counted: int | None
    """None: the vendor gave no total."""


def comparable(
    vendor: Vendor, account: Account, stored: Sequence[_Window]
) -> list[_Window]:
    """Return an account's windows without those whose count may rightly differ.

    A young window may have changed, and is read again anyway. A day of which an archive
    has a part is in two streams. Some vendors give no total.
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


def due_for_count(
    windows: Sequence[ReadWindow], reads: Iterable[PastRead], now: datetime
) -> list[ReadWindow]:
    """Return the windows of an account to count now, the longest uncounted first.

    ``reads`` are those of the account. If half of a round has passed since the last
    count, half of its windows are due. Windows of one table and day are counted
    together.
    """
    counted: dict[tuple[str, datetime], datetime] = {}
    for read in reads:
        if read.purpose == AUDIT:
            counted[read.stream, read.interval[0]] = read.started_at

    def checked_at(group: Sequence[ReadWindow]) -> datetime:
        first = group[0]
        at = counted.get((first.stream.name, first.start), first.read_at)
        return max(at, first.read_at)

    groups = [list(group) for _, group in groupby(sorted(windows, key=_place), _place)]
    groups = [group for group in groups if checked_at(group) < now]
    passed = now - max(counted.values(), default=now - DAY)
    found: list[ReadWindow] = []
    for is_recent, length in ((True, ROUND), (False, OLD_ROUND)):
        some = [one for one in groups if (now - one[0].end <= RECENT) is is_recent]
        share = ceil(
            len(some) * min(passed, length).total_seconds() / length.total_seconds()
        )
        some.sort(key=checked_at)
        found += [window for group in some[:share] for window in group]
    return found[:MOST_COUNTS]


def near(
    windows: Sequence[ReadWindow], moments: Iterable[datetime], now: datetime
) -> list[ReadWindow]:
    """Return the windows within a month of a moment, without those read ``now``."""
    times = sorted(moments)
    return [
        window
        for window in windows
        if window.read_at < now
        and any(window.start - MONTH <= at < window.end + MONTH for at in times)
    ]


def within_quota(
    account: Account, windows: Sequence[ReadWindow], quota_used: int
) -> Sequence[ReadWindow]:
    """Return as many windows as half of what is left of the daily quota allows.

    The other half is for reading. ``quota_used`` is the account's requests of today.
    """
    limit = account.settings.daily_requests
    return windows[: max(0, limit - quota_used) // 2] if limit else windows


def count(
    account: Account,
    windows: Sequence[ReadWindow],
    now: datetime,
    quota_used: int,
    *,
    load_no: int | None = None,
    run: VendorRun | None = None,
) -> Counted:
    """Request the vendor's total of each window; nothing is stored.

    A request that fails gives no total. ``quota_used`` is the account's requests of
    today.
    """
    if not windows:
        return Counted({})
    options = ReadOptions(
        lambda: now,
        keep_going=True,
        requests_today=quota_used,
        load_no=load_no,
        run=run,
        counts_only=True,
    )
    settings = msgspec.structs.replace(account.settings, page_size=1)
    portions = portions_of(
        account.alias,
        [Window(one.start, one.end, one.stream.name, AUDIT) for one in windows],
        connect(account.vendor, settings, options),
        options,
    )
    rows = [row for portion in portions for row in portion.ledger.to_pylist()]
    totals = {(row["stream"], row["window_start"]): row["vendor_total"] for row in rows}
    return Counted(totals, tuple(rows))


def differences(
    windows: Sequence[StoredWindow], totals: Totals
) -> Iterator[Difference]:
    """Yield, by table and start, the windows whose count differs from what is stored.

    Streams of one table share its records. A total may include more than the records
    stored inside: those of the second beside the window, and those in quarantine. The
    same surplus is expected today.
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
    stored: Sequence[ReadWindow],
    windows: Sequence[StoredWindow],
    totals: Totals,
) -> list[AccountWindow]:
    """Return the windows with another count than expected, to be read again.

    If the vendor counts fewer, the days beside are read too: a call at the edge of its
    day can be listed in two windows, and a read of one of them proves no deletion.
    """
    found: dict[tuple[str, datetime], ReadWindow] = {}
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


def _are_beside(one: ReadWindow, other: ReadWindow) -> bool:
    is_edge_shared = one.end == other.start or one.start == other.end
    return is_edge_shared and one.stream.name == other.stream.name


def uncounted_note(account: Account, counted: Counted) -> str:
    """Return a note about windows that could not be counted, or ""."""
    errors = [row["error"] for row in counted.rows if row["state"] == "failed"]
    if not errors:
        return ""
    return (
        f"{account.alias}: {len(errors)} older windows could not be counted, they are "
        f"asked again in the next round: {errors[0]}"
    )


def _place(window: ReadWindow) -> tuple[str, datetime]:
    return window.stream.table, window.start


def _place_of(window: ReadWindow) -> tuple[str, str, Interval]:
    return window.stream.table, window.account, (window.start, window.end)


def _is_young(vendor: Vendor, window: ReadWindow) -> bool:
    again = window.stream.lookback_or(vendor.lookback)
    return window.read_at < window.end + again
