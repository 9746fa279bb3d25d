"""Whatever happens to calls and vendors, two healthy nights later all is right again.

A history is invented from its number: calls appear with time, move, move back, are
deleted and restored, while vendors answer nothing for a night, or fail. After every
night that says it is complete the warehouse has each call that the vendor has. After
two healthy nights, a day apart, it is the vendors' truth: no living call is marked
deleted, and each deleted one is. They are long and many, so they are for the soak:
CALLHOUSE_HISTORIES says how many, CALLHOUSE_HISTORY asks for one of them. The suite has
the history of `test_interleavings`, in which all of this happens to every vendor.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from conftest import LAG, VENDORS, exact
from sandbox_control import post, stamp, truth, undo

from pipelines.commands.build import build_and_publish
from pipelines.config.loader import read_config
from pipelines.config.model import Config
from pipelines.load.loader import load
from pipelines.planning.windows import DAY, read_time
from pipelines.sandbox.process import Sandbox, running_sandbox

HISTORIES = int(os.environ.get("CALLHOUSE_HISTORIES", "1"))
CHOSEN = os.environ.get("CALLHOUSE_HISTORY", "")
NUMBERS = [int(CHOSEN)] if CHOSEN else list(range(HISTORIES))
EVENTFUL = 3
"""Nights of a history between the first one, which is healthy, and the last two."""

START = read_time("2026-11-01T00:00:00Z")
"""A month's first day: EvoVoice's months are loaded whole."""
BEGIN = read_time("2026-11-05T03:00:00Z")
READ_AGAIN = dict.fromkeys(VENDORS, 3) | {"twin": 1}
"""What lies more days back than this may be settled, so that no night reads it."""
MOST_MISSING = 3
"""More calls at once that are gone and not marked yet are nobody's daily business."""
OUTAGES: tuple[dict[str, object], ...] = (
    {"kind": "html"},
    {"kind": "status", "status": 400},
    {"kind": "redirect"},
    {"kind": "null_records"},
)
EDGES = (timedelta(0), timedelta(hours=23, minutes=59, seconds=59))
STORED = """
    select
        vendor,
        vendor_call_id,
        is_deleted,
        started_at,
        cost_total,
        currency
    from fact_calls
"""

Key = tuple[str, str]
"""Vendor and id."""
Fact = tuple[datetime, Decimal | None, str | None]
"""Start, cost and currency."""


@dataclass
class History:
    """One warehouse of all vendors, and what happened so far."""

    sandbox: Sandbox
    config: Config
    rng: Random
    now: datetime = BEGIN
    events: list[str] = field(default_factory=list)
    deleted: dict[Key, datetime] = field(default_factory=dict)
    """What the vendors deleted, and when it began."""
    moved: dict[Key, datetime] = field(default_factory=dict)
    """What is at another time than at first, and the first one."""
    stored: dict[Key, tuple[bool, Fact]] = field(default_factory=dict)
    """What was published after the last night: whether it is deleted, and its fact."""

    def control(self, path: str, **said: object) -> None:
        post(self.sandbox, path, said)

    def say(self, text: str) -> None:
        self.events.append(f"{stamp(self.now)} {text}")

    def truth(self, vendor: str) -> dict[Key, dict[str, Any]]:
        """Return every call that the vendor has now.

        Some of those before the loaded range are stored as well: the days beside a
        missing call are read too, and a day's list may have calls of the days beside.
        """
        calls = truth(self.sandbox, vendor, START - 7 * DAY, self.now - LAG)
        return {(vendor, call["vendor_call_id"]): call for call in calls}

    # --- what happens between two nights ----------------------------------------------

    def next_day(self) -> None:
        self.now += DAY
        self.control("clock", now=stamp(self.now))

    def something_happens(self) -> None:
        """Change calls of every vendor, and let some vendors have a bad night."""
        for vendor in VENDORS:
            for event, chance in (
                (self.restore, 0.4),
                (self.move_back, 0.4),
                (self.move, 0.7),
                (self.delete, 0.6),
            ):
                if self.rng.random() < chance:
                    event(vendor)
        for vendor in VENDORS:
            if self.rng.random() < 1 / 3:
                self.control("blank", vendors=[vendor])
                self.say(f"{vendor} answers nothing")
        if self.rng.random() < 1 / 3:
            vendor, outage = self.rng.choice(VENDORS), self.rng.choice(OUTAGES)
            self.control("faults", vendor=vendor, times=None, **outage)
            self.say(f"{vendor} fails: {outage}")

    def is_young(self, vendor: str, moment: datetime) -> bool:
        return moment.date() >= (self.now - READ_AGAIN[vendor] * DAY).date()

    def living(self, vendor: str) -> dict[Key, datetime]:
        """Return calls that are over, and that nights still read: their starts."""
        return {
            key: event_at
            for key, call in sorted(self.truth(vendor).items())
            if call["ended_at"] and read_time(call["ended_at"]) < self.now - DAY / 8
            if self.is_young(vendor, event_at := read_time(call["event_at"]))
        }

    def delete(self, vendor: str) -> None:
        """Delete at most two: of more at once nobody but the operator is believed."""
        marked = {key for key, (is_deleted, _) in self.stored.items() if is_deleted}
        waiting = [k for k in self.deleted if k[0] == vendor and k not in marked]
        room = min(2, MOST_MISSING - len(waiting))
        living = self.living(vendor)
        for key in self.rng.sample(sorted(living), k=min(room, len(living))):
            self.control("removed", vendor=vendor, ids=[key[1]])
            self.deleted[key] = living[key]
            self.say(f"{vendor} deletes {key[1]} of {stamp(living[key])}")

    def restore(self, vendor: str) -> None:
        for key, moment in sorted(self.deleted.items()):
            if key[0] == vendor and self.is_young(vendor, moment):
                self.control("removed", vendor=vendor, ids=[key[1]], removed=False)
                del self.deleted[key]
                self.say(f"{vendor} restores {key[1]} of {stamp(moment)}")
                return

    def move(self, vendor: str) -> None:
        """Move a call to another second of the same or of a neighbouring day."""
        living = self.living(vendor)
        if not living:
            return
        key = self.rng.choice(sorted(living))
        midnight = living[key].replace(hour=0, minute=0, second=0, microsecond=0)
        day = midnight + self.rng.choice((-1, 0, 1)) * DAY
        second = timedelta(seconds=self.rng.randrange(86_400))
        new = day + self.rng.choice((second, second, *EDGES))
        if not self.is_young(vendor, new) or new > self.now - DAY / 8:
            return
        self.control("moved", vendor=vendor, ids=[key[1]], start=stamp(new))
        self.moved.setdefault(key, living[key])
        self.say(f"{vendor} moves {key[1]} from {stamp(living[key])} to {stamp(new)}")

    def move_back(self, vendor: str) -> None:
        living = self.living(vendor)
        for key, first in sorted(self.moved.items()):
            if key in living and self.is_young(vendor, first):
                self.control("moved", vendor=vendor, ids=[key[1]])
                del self.moved[key]
                self.say(f"{vendor} moves {key[1]} back to {stamp(first)}")
                return

    def heal(self) -> None:
        self.control("blank", vendors=VENDORS, blank=False)
        undo(self.sandbox, "faults")

    # --- nights -----------------------------------------------------------------------

    def night(self) -> set[str]:
        """Load and publish; return the vendors that say they are complete."""
        complete = set()
        for vendor in self.config.vendors:
            outcome = load(vendor, self.config, self.now, silent)
            if outcome.is_complete:
                complete.add(vendor.name)
        _, published = build_and_publish(self.config, self.now)
        with duckdb.connect(str(published), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            rows = connection.execute(STORED).fetchall()
        self.stored = {(row[0], row[1]): (row[2], row[3:]) for row in rows}
        self.say(f"night: complete are {', '.join(sorted(complete)) or 'none'}")
        for vendor_name in sorted(complete):
            self.check_living(vendor_name)
        return complete

    def check_living(self, vendor: str) -> None:
        """Each call that a complete vendor has is here, alive, at its start."""
        truth = self.truth(vendor)
        self.expect([*lacking(truth, self.stored), *elsewhere(truth, self.stored)])

    def check_all(self) -> None:
        """The warehouse is the truth."""
        wrong = []
        for vendor in VENDORS:
            truth = self.truth(vendor)
            assert truth
            stored = {k: one for k, one in self.stored.items() if k[0] == vendor}
            wrong += [*lacking(truth, stored), *unmarked(truth, stored)]
            wrong += [
                f"{key}: stored {stored[key][1]}, truth {fact_of(call)}"
                for key, call in truth.items()
                if key in stored and stored[key][1] != fact_of(call)
            ]
        self.expect(wrong)

    def expect(self, wrong: list[str]) -> None:
        __tracebackhide__ = True
        if wrong:
            told = "\n  ".join(["it went so:", *self.events, "wrong:", *wrong])
            pytest.fail(told, pytrace=False)


def silent(*_: object) -> None:
    """Take no notice of how a load goes on."""


def fact_of(call: dict[str, Any]) -> Fact:
    return read_time(call["started_at"]), exact(call["cost"]), call["currency"]


Truth = dict[Key, dict[str, Any]]
Stored = dict[Key, tuple[bool, Fact]]


def lacking(truth: Truth, stored: Stored) -> Iterator[str]:
    for key, call in truth.items():
        if key not in stored and read_time(call["event_at"]) >= START:
            yield f"{key} of {call['event_at']} is missing"
        elif key in stored and stored[key][0]:
            yield f"{key} of {call['event_at']} lives, and is marked deleted"


def elsewhere(truth: Truth, stored: Stored) -> Iterator[str]:
    for key, call in truth.items():
        start = read_time(call["started_at"])
        if key in stored and stored[key][1][0] != start:
            yield f"{key}: stored at {stored[key][1][0]}, truth {start}"


def unmarked(truth: Truth, stored: Stored) -> Iterator[str]:
    for key, (is_deleted, fact) in stored.items():
        if key not in truth and not is_deleted:
            yield f"{key} of {fact[0]} is gone, and not marked"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox(BEGIN, volume=8) as running:
        yield running


@pytest.fixture
def open_history(sandbox: Sandbox, tmp_path: Path) -> Callable[[int], History]:
    def opened(number: int) -> History:
        environment = {
            **sandbox.environment,
            "CALLHOUSE__WAREHOUSE": str(tmp_path / "warehouse"),
            "CALLHOUSE__START": f"{START:%Y-%m-%d}",
        }
        config = read_config(Path("none"), environment)
        history = History(sandbox, config, Random(number))  # noqa: S311
        undo(sandbox, "faults", "changes")
        history.control("clock", now=stamp(BEGIN))
        return history

    return opened


@pytest.mark.soak
@pytest.mark.history
@pytest.mark.parametrize("number", NUMBERS)
def test_two_healthy_nights_make_the_warehouse_the_truth(
    open_history: Callable[[int], History], number: int
) -> None:
    history = open_history(number)
    assert history.night() == set(VENDORS)
    history.check_all()
    for _ in range(EVENTFUL):
        history.next_day()
        history.something_happens()
        history.night()
        history.heal()
    for _ in range(2):
        history.next_day()
        complete = history.night()
    assert complete == set(VENDORS), history.events
    history.check_all()
