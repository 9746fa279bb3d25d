"""Nights, backfills, failures and crashes in any order end as one clean load does.

Meanwhile the vendor corrects, deletes and restores calls, and has nights on which it
answers nothing. Each history is run over real HTTP against the sandbox. A night that
says it is complete has stored each call that the vendor has. After the history two
healthy nights, a day apart, must leave the same living facts, row for row, as a
warehouse that was loaded at once. The suite has one history of every vendor, in which
all of this happens; the soak has as many as CALLHOUSE_HISTORIES asks for, each of them
Hypothesis's own invention.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import LAG, TABLES, VENDORS
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sandbox_control import post, stamp, truth, undo

from pipelines.commands.build import build_and_publish
from pipelines.config.loader import read_config
from pipelines.config.model import Config
from pipelines.load.backfill import backfill
from pipelines.load.loader import load
from pipelines.planning.planner import BackfillRequest
from pipelines.planning.windows import DAY, read_time
from pipelines.sandbox.process import Sandbox, running_sandbox

HISTORIES = int(os.environ.get("CALLHOUSE_HISTORIES", "1"))
START = read_time("2026-11-09T00:00:00Z")
BEGIN = read_time("2026-11-11T03:00:00Z")
LATEST = BEGIN + 9 * DAY
TABLES_OF = (
    "select schema_name || '.' || table_name from duckdb_tables() "
    "where table_name not in ('built_loads', 'build_state')"
)
FACTS = (
    "select call_key, started_at, * exclude (first_loaded_at, last_loaded_at, load_id) "
    "from fact_calls where not is_deleted order by call_key"
)
BREAKS = (
    {"kind": "html"},
    {"kind": "status", "status": 400},
    {"kind": "error200"},
    {"kind": "redirect"},
)


READ_AGAIN = dict.fromkeys(VENDORS, 3 * DAY) | {"twin": DAY}
"""A window is surely read again until a load began this long after its end."""
MOST_DELETED = 3
"""More at once are believed on the operator's word only."""


class CrashError(Exception):
    """Stands for a process that dies between two load packages."""


class Histories(RuleBasedStateMachine):
    """One warehouse of one vendor, and what may happen to it."""

    sandbox: Sandbox

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self.folder = folder or Path(tempfile.mkdtemp())
        self.now = BEGIN
        self.last_load = BEGIN
        self.deleted: dict[str, datetime] = {}
        self.moved: dict[str, datetime] = {}
        """The times that moved calls had at first."""
        self.is_filled = False

    @initialize(vendor=st.sampled_from(VENDORS))
    def begin(self, vendor: str) -> None:
        self.vendor = vendor
        self.config = self.configured("lived")
        undo(self.sandbox, "faults", "changes")
        self.tick(timedelta())

    def configured(self, name: str) -> Config:
        environment = {
            **self.sandbox.environment,
            "CALLHOUSE__WAREHOUSE": str(self.folder / name),
            "CALLHOUSE__START": f"{START:%Y-%m-%d}",
        }
        return read_config(Path("none"), environment)

    def control(self, path: str, **said: object) -> None:
        post(self.sandbox, path, said)

    def tick(self, later: timedelta) -> None:
        self.now += later
        self.control("clock", now=stamp(self.now))

    @precondition(lambda self: self.now < LATEST)
    @rule(hours=st.sampled_from([1, 7, 24, 60]))
    def time_passes(self, hours: int) -> None:
        self.tick(timedelta(hours=hours))

    @rule()
    def night(self) -> None:
        self.is_filled |= self.ask(self.config, lambda *_: None)

    @precondition(lambda self: self.is_filled)
    @rule()
    def blank_night(self) -> None:
        """A vendor that has nothing to show is believed where nothing is known yet."""
        self.control("blank", vendors=[self.vendor])
        self.ask(self.config, lambda *_: None)
        self.control("blank", vendors=[self.vendor], blank=False)

    @precondition(lambda self: len(self.deleted) < MOST_DELETED)
    @rule(place=st.integers(0, 999))
    def call_is_deleted(self, place: int) -> None:
        if calls := sorted(self.living().items()):
            name, event_at = calls[place % len(calls)]
            self.control("removed", vendor=self.vendor, ids=[name])
            self.deleted[name] = event_at

    @precondition(lambda self: self.deleted)
    @rule()
    def call_is_restored(self) -> None:
        for name, event_at in sorted(self.deleted.items()):
            if self.is_read_again(event_at):
                self.control("removed", vendor=self.vendor, ids=[name], removed=False)
                del self.deleted[name]
                return

    @rule(
        place=st.integers(0, 999),
        days=st.integers(-1, 1),
        second=st.one_of(st.sampled_from([0, 86_399]), st.integers(0, 86_399)),
    )
    def call_moves(self, place: int, days: int, second: int) -> None:
        if calls := sorted(self.living().items()):
            name, event_at = calls[place % len(calls)]
            midnight = event_at.replace(hour=0, minute=0, second=0, microsecond=0)
            new = midnight + days * DAY + timedelta(seconds=second)
            if self.is_read_again(new) and new < self.now - DAY / 8:
                start = stamp(new)
                self.control("moved", vendor=self.vendor, ids=[name], start=start)
                self.moved.setdefault(name, event_at)

    @precondition(lambda self: self.moved)
    @rule()
    def call_moves_back(self) -> None:
        living = self.living()
        for name, first in sorted(self.moved.items()):
            if name in living and self.is_read_again(first):
                self.control("moved", vendor=self.vendor, ids=[name])
                del self.moved[name]
                return

    @rule(batches=st.integers(0, 3))
    def night_that_crashes(self, batches: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pipelines.load.loader.BATCH_WINDOWS", 2)
            self.ask(self.config, crash_after(batches))

    @rule(fault=st.sampled_from(BREAKS), after=st.integers(0, 6))
    def night_of_failures(self, fault: dict[str, object], after: int) -> None:
        self.control("faults", vendor=self.vendor, after=after, times=3, **fault)
        self.ask(self.config, lambda *_: None)
        undo(self.sandbox, "faults")

    @rule(
        first=st.integers(-6, 9),
        length=st.integers(1, 6),
        newest_first=st.booleans(),
        is_forced=st.booleans(),
        batches=st.sampled_from([1, 2, 99]),
    )
    def backfill(
        self,
        first: int,
        length: int,
        *,
        newest_first: bool,
        is_forced: bool,
        batches: int,
    ) -> None:
        start = START + first * DAY
        request = BackfillRequest(start, start + length * DAY, is_forced, newest_first)
        if start >= self.now:
            return
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pipelines.load.loader.BATCH_WINDOWS", 2)
            self.ask(self.config, crash_after(batches), request)

    @rule()
    def build(self) -> None:
        build_and_publish(self.config, self.now)

    def living(self) -> dict[str, datetime]:
        """Return the times of calls that are over and that a night still reads."""
        until = self.now - DAY / 8
        found = {
            call["vendor_call_id"]: read_time(call["event_at"])
            for call in truth(self.sandbox, self.vendor, START, until)
            if call["ended_at"] and read_time(call["ended_at"]) < until
        }
        return {name: at for name, at in found.items() if self.is_read_again(at)}

    def is_read_again(self, moment: datetime) -> bool:
        end = moment.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
        return moment >= START and self.last_load < end + READ_AGAIN[self.vendor]

    def ask(
        self,
        config: Config,
        progress: Callable[..., None],
        request: BackfillRequest | None = None,
    ) -> bool:
        (vendor,) = (one for one in config.vendors if one.name == self.vendor)
        self.last_load = max(self.last_load, self.now)
        try:
            if request is None:
                if load(vendor, config, self.now, progress).is_complete:
                    self.check_living(config)
                    return True
                return False
            return backfill(vendor, config, self.now, request, progress).is_complete
        except CrashError:
            return False

    def check_living(self, config: Config) -> None:
        """Each call that the vendor has is stored, and not as deleted."""
        has_come = "arg_max(payload is not null, (load_no, fetched_at))"
        sql = f"select record_id, {has_come} from raw.{TABLES[self.vendor]} group by 1"
        with duckdb.connect(str(config.warehouse.raw(self.vendor))) as raw:
            stored = dict(raw.execute(sql).fetchall())
        calls = truth(self.sandbox, self.vendor, START, self.now - LAG)
        ids = [one["vendor_call_id"] for one in calls]
        assert [one for one in ids if not stored.get(one)] == []

    def end(self) -> None:
        """Run two nights more, and load another warehouse only now."""
        self.tick(timedelta())
        self.ask(self.config, lambda *_: None)
        self.tick(DAY)
        assert self.ask(self.config, lambda *_: None)
        assert self.ask(self.configured("clean"), lambda *_: None)

    def teardown(self) -> None:
        if hasattr(self, "config"):
            self.end()
            compare(self.config, self.configured("clean"), self.now)
        shutil.rmtree(self.folder)


def compare(lived: Config, clean: Config, now: datetime) -> None:
    """Compare the living facts, and every table with one made of nothing."""
    nightly, _ = tables(lived, now), tables(clean, now)
    found, expected = facts(lived), facts(clean)
    assert [row for row in found if row[1] >= START or row in expected] == expected
    rebuilt = tables(lived, now, full=True)
    assert [name for name in nightly if nightly[name] != rebuilt[name]] == []


def facts(config: Config) -> list[tuple[Any, ...]]:
    published = config.warehouse.published
    with duckdb.connect(str(published), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(FACTS).fetchall()


def tables(
    config: Config, now: datetime, *, full: bool = False
) -> dict[str, list[tuple[Any, ...]]]:
    _, published = build_and_publish(config, now, full=full)
    with duckdb.connect(str(published), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return {
            table: connection.execute(
                f"select t::varchar from {table} t order by 1"
            ).fetchall()
            for (table,) in connection.execute(TABLES_OF).fetchall()
        }


def crash_after(batches: int) -> Callable[..., None]:
    left = batches

    def progress(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise CrashError

    return progress


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox(BEGIN, volume=8) as running:
        yield running


def all_that_may_happen(one: Histories, place: int) -> None:
    """Go through the rules, while the first days are read again by every vendor.

    A vendor has all that may happen to its calls, and two of three kinds of trouble.
    """
    one.tick(timedelta())
    one.night_that_crashes(batches=1)
    one.night()
    one.time_passes(7)
    one.call_is_deleted(place)
    one.call_moves(place, days=0, second=86_399)
    one.call_moves(place + 1, days=1, second=0)
    if place % 3 != 0:
        one.blank_night()
    one.call_is_deleted(place + 1)
    one.time_passes(7)
    if place % 3 != 1:
        one.night_of_failures(BREAKS[place % len(BREAKS)], after=place)
    if place % 3 != 2:
        one.backfill(-2, 5, newest_first=True, is_forced=True, batches=2)
    assert (len(one.deleted), len(one.moved)) == (2, 2)


@pytest.fixture
def every_vendor(sandbox: Sandbox, tmp_path: Path) -> list[Histories]:
    """Give the histories of all vendors, which share one warehouse."""
    Histories.sandbox = sandbox
    histories = [Histories(tmp_path) for _ in VENDORS]
    for one, vendor in zip(histories, VENDORS, strict=True):
        one.begin(vendor)
    return histories


@pytest.mark.soak
def test_all_that_may_happen_ends_as_one_clean_load_does(
    every_vendor: list[Histories],
) -> None:
    first, *_ = every_vendor
    for place, one in enumerate(every_vendor):
        all_that_may_happen(one, place)
    first.build()
    for one in every_vendor:
        one.call_is_restored()
        one.call_moves_back()
        assert (len(one.deleted), len(one.moved)) == (1, 1)
        one.time_passes(60)
        one.end()
    compare(first.config, first.configured("clean"), first.now)


@pytest.mark.soak
@pytest.mark.history
def test_any_history_ends_as_one_clean_load_does(sandbox: Sandbox) -> None:
    class Here(Histories):
        pass

    Here.sandbox = sandbox
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=8,
            deadline=None,
            # To make a history shorter takes hours; its steps are printed as they are.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
