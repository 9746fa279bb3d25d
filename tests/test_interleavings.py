"""Nights, backfills, failures and crashes in any order end as one clean load does.

Each history is Hypothesis's own invention, run over real HTTP against the sandbox.
After it one complete run must leave the same facts, row for row, as a warehouse that
was loaded at once. CALLHOUSE_HISTORIES asks for more of them than the suite has time
for.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
from conftest import VENDORS, stamp
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pipelines.backfill import backfill
from pipelines.config import Config, read_config
from pipelines.load import load
from pipelines.night import build_and_publish
from pipelines.plan import Order
from pipelines.sandbox_process import Sandbox, running_sandbox
from pipelines.windows import DAY, read_time

HISTORIES = int(os.environ.get("CALLHOUSE_HISTORIES", "2"))
START = read_time("2026-11-09T00:00:00Z")
BEGIN = read_time("2026-11-11T03:00:00Z")
LATEST = BEGIN + 9 * DAY
TABLES = (
    "select schema_name || '.' || table_name from duckdb_tables() "
    "where table_name not in ('built_loads', 'build_state')"
)
FACTS = (
    "select call_key, started_at, * exclude (first_loaded_at, last_loaded_at, load_id) "
    "from fact_calls order by call_key"
)
BREAKS = (
    {"kind": "html"},
    {"kind": "status", "status": 400},
    {"kind": "error200"},
    {"kind": "redirect"},
)


class CrashError(Exception):
    """Stands for a process that dies between two load packages."""


class Histories(RuleBasedStateMachine):
    """One warehouse of one vendor, and what may happen to it."""

    sandbox: Sandbox

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = BEGIN

    @initialize(vendor=st.sampled_from(VENDORS))
    def begin(self, vendor: str) -> None:
        self.vendor = vendor
        self.config = self.configured("lived")
        self.tick(timedelta())

    def configured(self, name: str) -> Config:
        environment = {
            **self.sandbox.environment,
            "CALLHOUSE__WAREHOUSE": str(Path(self.folder.name) / name),
            "CALLHOUSE__START": f"{START:%Y-%m-%d}",
        }
        return read_config(Path("none"), environment)

    def control(self, path: str, **said: object) -> None:
        url = f"{self.sandbox.url}/_sandbox/{path}"
        requests.post(url, json=said, timeout=10).raise_for_status()

    def tick(self, later: timedelta) -> None:
        self.now += later
        self.control("clock", now=stamp(self.now))

    @precondition(lambda self: self.now < LATEST)
    @rule(hours=st.sampled_from([1, 7, 24, 60]))
    def time_passes(self, hours: int) -> None:
        self.tick(timedelta(hours=hours))

    @rule()
    def night(self) -> None:
        self.ask(self.config, lambda *_: None)

    @rule(batches=st.integers(0, 3))
    def night_that_crashes(self, batches: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pipelines.load.BATCH_WINDOWS", 2)
            self.ask(self.config, crash_after(batches))

    @rule(fault=st.sampled_from(BREAKS), after=st.integers(0, 6))
    def night_of_failures(self, fault: dict[str, object], after: int) -> None:
        self.control("faults", vendor=self.vendor, after=after, times=3, **fault)
        self.ask(self.config, lambda *_: None)
        requests.delete(f"{self.sandbox.url}/_sandbox/faults", timeout=10)

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
        order = Order(start, start + length * DAY, is_forced, newest_first)
        if start >= self.now:
            return
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pipelines.load.BATCH_WINDOWS", 2)
            self.ask(self.config, crash_after(batches), order)

    @rule()
    def build(self) -> None:
        build_and_publish(self.config, self.now)

    def ask(
        self, config: Config, progress: Callable[..., None], order: Order | None = None
    ) -> bool:
        (vendor,) = (one for one in config.vendors if one.name == self.vendor)
        try:
            if order is None:
                return load(vendor, config, self.now, progress).is_complete
            return backfill(vendor, config, self.now, order, progress).is_complete
        except CrashError:
            return False

    def teardown(self) -> None:
        """Run once more, and compare with a warehouse that is loaded only now."""
        if hasattr(self, "config"):
            assert self.ask(self.config, lambda *_: None)
            clean = self.configured("clean")
            assert self.ask(clean, lambda *_: None)
            lived, loaded = (self.facts(config) for config in (self.config, clean))
            assert [row for row in lived if row[1] >= START or row in loaded] == loaded
            self.rebuild()
        self.folder.cleanup()

    def rebuild(self) -> None:
        """Compare every table, as the builds left it, with one made of nothing."""
        found = []
        for full in (False, True):
            _, published = build_and_publish(self.config, self.now, full=full)
            with duckdb.connect(str(published), read_only=True) as connection:
                connection.execute("set TimeZone = 'UTC'")
                found.append(
                    {
                        table: connection.execute(
                            f"select t::varchar from {table} t order by 1"
                        ).fetchall()
                        for (table,) in connection.execute(TABLES).fetchall()
                    }
                )
        nightly, rebuilt = found
        assert [name for name in nightly if nightly[name] != rebuilt[name]] == []

    def facts(self, config: Config) -> list[tuple[Any, ...]]:
        _, published = build_and_publish(config, self.now)
        with duckdb.connect(str(published), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(FACTS).fetchall()


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
            derandomize=HISTORIES == 2,
            suppress_health_check=list(HealthCheck),
        ),
    )
