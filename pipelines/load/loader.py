"""One vendor's load: plan, read and store, in batches that are stored whole or not.

It runs in a process of its own. The raw file is the only state: its ledger says which
windows are read.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from typing import Any, TypeAlias

from msgspec.structs import replace

from pipelines.config.model import Account, Config, Vendor
from pipelines.config.privacy import NO_KEY, Privacy
from pipelines.extract.rate_limit import VendorRun
from pipelines.extract.resources import (
    Read,
    Reading,
    ledger_rows,
    package_source,
    stored_at_once,
)
from pipelines.extract.window_reader import Package, ReadOptions
from pipelines.load.absences import (
    ROUNDS,
    RunReads,
    Verdict,
    missing_in,
    places_of,
    still_to_read,
    verdict_on,
    with_verdict,
)
from pipelines.load.accounting import Accounts, Row
from pipelines.load.audit import Audit, comparable, due_for_count, near
from pipelines.load.change_detection import Tally, closed_ledger, watch
from pipelines.load.package import memory_for, store, take_load_no
from pipelines.load.result import AccountWindow, added, key, key_of, lost
from pipelines.load.suppression import suppression_of
from pipelines.load.turns import Progress, clock_from, run_turn
from pipelines.load.work_plan import (
    WorkPlan,
    nightly_work,
    no_longer_pending,
    settled_rows,
)
from pipelines.planning.planner import (
    PENDING_READ,
    PastRead,
    history_start,
    refuse_earlier,
)
from pipelines.planning.request_budget import used_today
from pipelines.planning.windows import Interval
from pipelines.sources import connect, streams_of
from pipelines.warehouse.journal import LoadResult
from pipelines.warehouse.ledger import ReadWindow, last_reads, past_reads
from pipelines.warehouse.locks import in_turn
from pipelines.warehouse.migration import locked_raw_file
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.records import count_stored, stored_records
from pipelines.warehouse.suppression_list import note_unfinished

BATCH_WINDOWS = 400
"""Windows of one load package, at most: to store one takes half a CPU second."""

Windows: TypeAlias = Sequence[ReadWindow]
Reads: TypeAlias = Sequence[PastRead]
Choice: TypeAlias = Callable[[Account, Windows, Reads], Windows]
"""From an account, its comparable windows and its ledger: the windows to count."""
LastRows: TypeAlias = Callable[[int, Collection[str], Sequence[Row]], list[Row]]
"""From the number of a load, the accounts that were given up and the ledger rows of the
package to more of them."""


def load(
    vendor: Vendor,
    config: Config,
    now: datetime,
    progress: Progress,
    *,
    audit: bool = True,
) -> LoadResult:
    """Load the windows of one vendor's work plan, and audit older windows.

    Raises `LockedError` if another process loads the vendor, and `ClockError`. Errors
    of the vendor are in the result.
    """
    began = time.monotonic()
    warehouse = config.warehouse
    clock = clock_from(now)
    with run_turn(vendor, warehouse, progress):
        raw = warehouse.raw(vendor.name)
        reads = known_reads(warehouse, vendor.name)
        refuse_earlier(clock(), reads, vendor.name)
        since = history_start(config.start, config.history_days, now, reads)
        with locked_raw_file(warehouse, vendor.name):
            work = nightly_work(vendor, raw, since, now, reads)
        as_of = now if config.is_as_of else None
        result = load_plan(
            vendor,
            warehouse,
            work,
            clock,
            progress,
            audit=audit,
            as_of=as_of,
            privacy=config.privacy,
        )
        with locked_raw_file(warehouse, vendor.name):
            result = replace(result, settled=no_longer_pending(work, raw))
    return replace(result, seconds=time.monotonic() - began)


def known_reads(warehouse: Warehouse, vendor: str) -> list[PastRead]:
    """Return the ledger of a vendor; wait while another process writes it."""
    with locked_raw_file(warehouse, vendor) as raw:
        return past_reads(raw)


@dataclass
class _Run:
    """One vendor's windows, read in batches, and the result so far."""

    vendor: Vendor
    warehouse: Warehouse
    clock: Callable[[], datetime]
    progress: Progress
    turn: Callable[[], AbstractContextManager[None]]
    """Each batch is read within this context."""
    result: LoadResult
    reads: RunReads
    vendor_run: VendorRun
    """The waits and clocks of the run, over all batches."""
    privacy: Privacy
    begun: dict[str, list[Read]] = field(default_factory=dict)
    """By account, windows that were read and are not completely stored."""
    blocked: set[str] = field(default_factory=set)
    """Accounts of which this run reads nothing more, since it would fail again."""
    accounts: Accounts = field(default_factory=Accounts)
    """What became of each record that came."""
    planned: Sequence[AccountWindow] = ()
    """The windows of the work plan."""
    settled: Sequence[AccountWindow] = ()
    """Spans of days to leave out of later searches, until that is in the ledger."""

    def read(
        self,
        windows: Sequence[AccountWindow],
        note: str = "",
        *,
        choose: Choice | None = None,
    ) -> None:
        """Read windows in batches, and leave out accounts that are blocked.

        With ``choose``, older windows are counted too. The counts are stored with the
        last batch, since each load package takes time.
        """
        self.result = replace(self.result, planned=self.result.planned + len(windows))
        self._show(note)
        left = [one for one in windows if one[0].alias not in self.blocked]
        audit, last_rows = None, None
        while left:
            batch = left[:BATCH_WINDOWS]
            with self.turn():
                before = known_reads(self.warehouse, self.vendor.name)
                if len(batch) == len(left) and (choose or self.settled):
                    audit = self._chosen(choose, before, batch) if choose else None
                    last_rows = partial(self._last_rows, audit)
                tally, package = self._load(batch, before, last_rows)
            self.reads.add(tally)
            out_of_reach = lost(left, tally)
            self.blocked |= _given_up(batch, tally, package)
            left = [
                one
                for one in [*_not_taken(batch, tally), *left[BATCH_WINDOWS:]]
                if key(one) not in out_of_reach and one[0].alias not in self.blocked
            ]
            self.result = added(self.result, tally, len(out_of_reach), before)
            self._add_notes(self.vendor_run.warnings)
            self._show("")
        if choose and audit and audit.is_done:
            self._compare(audit)
        elif choose:
            self.audit(choose)

    def _last_rows(
        self,
        audit: Audit | None,
        load_no: int,
        given_up: Collection[str] = (),
        made: Sequence[Row] = (),
    ) -> list[Row]:
        """Return the ledger rows that are made when the planned windows were read.

        Those of settled days, once in a run, and those of an audit, whose windows are
        counted now. ``made`` are the rows of the same load package.
        """
        rows = [*self.reads.rows, *made]
        # By now: a count of the same day is of the time when the run began.
        now = self.clock()
        settled = settled_rows(self.planned, self.settled, rows, now, load_no)
        self.settled = ()
        if audit is None:
            return settled
        return settled + audit.rows(load_no, self.vendor_run, given_up, made)

    def _load(
        self,
        batch: Sequence[AccountWindow],
        before: Sequence[PastRead],
        last_rows: LastRows | None,
    ) -> tuple[Tally, Package]:
        quota_used = {
            account.alias: used_today(before, account.alias, self.clock())
            for account in self.vendor.accounts
        }
        return load_batch(
            self.vendor,
            self.warehouse,
            batch,
            self.clock,
            quota_used,
            run=self.vendor_run,
            begun=self.begun,
            last_rows=last_rows,
            privacy=self.privacy,
            accounts=self.accounts,
        )

    def audit(self, choose: Choice) -> set[str]:
        """Count older windows, and read again those with another count than stored.

        Return the accounts of which not all chosen windows could be counted.
        """
        with self.turn():
            audit = self._chosen(choose, known_reads(self.warehouse, self.vendor.name))

            def counted(load_no: int) -> list[Any]:
                rows = self._last_rows(audit, load_no)
                return [ledger_rows(lambda: rows)]

            if any(audit.chosen.values()) or self.settled:
                store(self.vendor, self.warehouse, counted)
        self._compare(audit)
        return audit.failed

    def _chosen(
        self, choose: Choice, past: Reads, batch: Sequence[AccountWindow] = ()
    ) -> Audit:
        """Return an audit of the chosen windows of each account.

        The windows of the ``batch``, which is read at the same time, are left out.
        """
        tables = {one.name: one.table for one in streams_of(self.vendor.name)}
        read = {
            (account.alias, tables[window.stream], window.start)
            for account, window in batch
            if window.purpose != PENDING_READ
        }
        stored = self._last_reads()
        chosen = {}
        for account in self.vendor.accounts:
            own = [read for read in past if read.account == account.alias]
            windows = comparable(self.vendor, account, stored)
            chosen[account.alias] = [
                one
                for one in choose(account, windows, own)
                if (one.account, one.stream.table, one.start) not in read
            ]
        return Audit(self.vendor, self.reads.since, chosen, past, self.blocked)

    def _last_reads(self) -> list[ReadWindow]:
        with locked_raw_file(self.warehouse, self.vendor.name) as raw:
            return [
                window
                for stream in streams_of(self.vendor.name)
                if stream.is_by_own_time
                for window in last_reads(raw, stream)
            ]

    def _compare(self, audit: Audit) -> None:
        """Read again the windows whose count differs from what is stored."""
        requests = self.result.requests + audit.requests
        self.result = replace(self.result, requests=requests)
        self._add_notes(audit.notes)
        if any(audit.totals.values()):
            with self.turn():
                raw = self.warehouse.raw(self.vendor.name)
                # Streams of a table have the same windows.
                count = cache(partial(count_stored, raw))
                wanted = audit.to_read_again(self._last_reads(), count)
            if wanted:
                self.read(wanted)

    def judge(self, confirmed: Interval | None) -> None:
        """Read what is needed to judge the missing records, and store the verdict.

        A call may have moved to a day that is not read any more. Before it is marked
        deleted, the windows around it are counted, and those with more are read.
        """
        verdict = self._verdict(confirmed)
        if any(verdict.proven.values()):
            proven = verdict.proven

            def choose(account: Account, windows: Windows, _: Reads) -> Windows:
                return near(windows, proven.get(account.alias, ()), self.reads.since)

            verdict = self._verdict(confirmed, self.audit(choose))
        if verdict.tables:
            rows = partial(stored_at_once, verdict.tables)
            with self.turn():
                store(self.vendor, self.warehouse, rows)
        self.result = with_verdict(self.result, verdict)
        if verdict.windows:
            self._show("")

    def _verdict(
        self, confirmed: Interval | None, uncounted: Collection[str] = ()
    ) -> Verdict:
        raw = self.warehouse.raw(self.vendor.name)
        lock = self.warehouse.raw_lock(self.vendor.name)
        now = self.reads.since
        places = [
            place
            for place in places_of(self.vendor)
            if place[0].alias not in self.blocked
        ]
        for rounds_left in range(ROUNDS, -1, -1):
            with in_turn(lock, shared=True):
                found = [*missing_in(raw, places, self.reads, now, confirmed)]
                more = still_to_read(raw, found, self.reads, now, confirmed)
                if not more or not rounds_left:
                    break
            self.read(more)
        past = known_reads(self.warehouse, self.vendor.name)
        with in_turn(lock, shared=True):
            return verdict_on(
                raw,
                found,
                self.reads,
                now,
                confirmed,
                uncounted=uncounted,
                past=[one for one in past if one.load_no < self.reads.first_load],
            )

    def _add_notes(self, notes: Sequence[str]) -> None:
        all_of_them = dict.fromkeys([*self.result.notes, *notes])
        self.result = replace(self.result, notes=tuple(all_of_them))

    def _show(self, note: str) -> None:
        done = self.result
        self.progress(self.vendor.name, done.windows, done.planned, done.records, note)


def load_plan(
    vendor: Vendor,
    warehouse: Warehouse,
    work: WorkPlan,
    clock: Callable[[], datetime],
    progress: Progress,
    *,
    turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    audit: bool = False,
    as_of: datetime | None = None,
    privacy: Privacy = NO_KEY,
) -> LoadResult:
    """Read all windows of a work plan, and judge the stored records that are missing.

    ``audit`` also requests the vendor's counts of older windows. ``as_of`` is the time
    of --now; None without it. ``privacy`` has the key of the suppression list.
    """
    result = LoadResult(vendor.name, pending=len(work.pending), notes=work.warnings)
    reads = RunReads(clock(), take_load_no(vendor, warehouse))
    vendor_run = VendorRun(clock, as_of)
    run = _Run(
        vendor, warehouse, clock, progress, turn, result, reads, vendor_run, privacy
    )
    run.planned, run.settled = work.windows, work.settled

    def choose(_: Account, windows: Windows, past: Reads) -> Windows:
        return due_for_count(windows, past, reads.since)

    warnings = "; ".join(work.warnings)
    run.read(work.windows, warnings, choose=choose if audit else None)
    run.judge(work.confirmed)
    return run.result


def load_batch(
    vendor: Vendor,
    warehouse: Warehouse,
    batch: Sequence[AccountWindow],
    clock: Callable[[], datetime],
    quota_used: Mapping[str, int],
    *,
    run: VendorRun | None = None,
    begun: dict[str, list[Read]] | None = None,
    last_rows: LastRows | None = None,
    privacy: Privacy = NO_KEY,
    accounts: Accounts | None = None,
) -> tuple[Tally, Package]:
    """Read windows and store them, their ledger and their quarantine as one load.

    A full package takes no more windows: the others have no ledger row, or one with
    the reason ``begun``, and belong to the next package. A package that is not full
    also takes ``last_rows`` of the ledger, which are made after all windows were read.
    Who is erased stays erased; raises `ListError` if that cannot be known.
    """
    raw = warehouse.raw(vendor.name)
    suppression = suppression_of(warehouse, privacy, vendor)
    leaves_old = partial(note_unfinished, warehouse, vendor.name)
    tally = Tally(accounts=Accounts() if accounts is None else accounts)
    package = Package(begun={} if begun is None else begun)

    def sources(load_no: int) -> list[Any]:
        readings: list[Reading] = []
        for account in vendor.accounts:
            windows = [window for owner, window in batch if owner is account]
            options = ReadOptions(
                clock,
                keep_going=True,
                requests_today=quota_used[account.alias],
                load_no=load_no,
                run=run,
                package=package,
                folder=warehouse.work_folder(vendor.name),
                stored=partial(stored_records, raw),
            )
            source = connect(vendor.name, account.settings, options)
            readings.append((account.alias, windows, source, options))

        def ledger() -> list[dict[str, Any]]:
            rows = closed_ledger(vendor.name, tally)
            if last_rows is None or package.is_full:
                return rows
            given_up = _given_up(batch, tally, package)
            return rows + last_rows(load_no, given_up, tally.ledger)

        built = package_source(vendor.name, readings, ledger)
        watch(built, suppression, raw, tally, leaves_old)
        return [built]

    store(vendor, warehouse, sources, lambda: memory_for(tally))
    return tally, package


def _not_taken(batch: Sequence[AccountWindow], tally: Tally) -> list[AccountWindow]:
    """Return the windows that a package did not take."""
    taken = {(*key_of(row), row["purpose"]) for row in tally.ledger}
    return [one for one in batch if (*key(one), one[1].purpose) not in taken]


def _given_up(
    batch: Sequence[AccountWindow], tally: Tally, package: Package
) -> set[str]:
    """Return the accounts that would fail again, as a package has shown."""
    if package.is_full:
        return package.gave_up
    out_of_reach = lost(batch, tally)
    # The other windows without a row were not read: their source ended before them.
    not_taken = (
        one for one in _not_taken(batch, tally) if key(one) not in out_of_reach
    )
    return package.gave_up | {account.alias for account, _ in not_taken}
