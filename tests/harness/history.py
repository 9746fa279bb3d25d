"""A history: a warehouse of the real command, its vendors, and what was compared.

After every run that says it is complete the published calls are those of the vendors:
none is lost, stale, there twice, or a ghost. What is not compared, and why: calls that
changed while they were listed (either state is true), or that were deleted while the
last read of their window listed them (only the audit finds out), days that a vendor
hides (nobody could know), deleted calls that only one run has missed (the rule of
deletion asks for two), and windows whose last read had a record that could not be read
(it is in quarantine, and may be any of them).
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import requests
from conftest import TABLES, VENDORS
from harness.events import Odds
from harness.launch import Planted, Running, start
from harness.truth import (
    Call,
    Key,
    Published,
    calls_of,
    differences,
    price_differences,
    published,
)
from patience import PATIENCE
from sandbox_control import post, stamp, undo

from pipelines.planning.windows import DAY, read_time
from pipelines.sandbox import faults as sandbox_faults
from pipelines.sandbox.process import Sandbox

BEGINS = tuple(
    read_time(f"{day}T03:00:00Z")
    for day in ("2026-03-06", "2026-03-27", "2026-10-23", "2026-10-30", "2026-11-05")
)
"""First nights: before the clock changes in America and Europe, and an ordinary one."""
READ_AGAIN = dict.fromkeys(VENDORS, 3) | {"twin": 1}
"""What lies more days back than this may be settled, so that no night reads it."""
PAGE_SIZE = 3
"""Records of a page, so that days have several."""
MOST_MISSING = 3
"""More deletions at once are believed on the operator's word only."""
REFUSED, CHECK_FAILED, KILLED = 2, 3, -9
PEAK = "MiB at most in a process"
"""Of the counts of a history the one that is a maximum, not a sum."""


class WrongError(Exception):
    """The product broke a promise."""


@dataclass(frozen=True)
class Done:
    """One command: its exit code, and what it printed."""

    code: int
    output: str
    errors: str
    peak: int = 0
    """MiB of its largest process."""

    @property
    def loaded(self) -> dict[str, dict[str, Any]]:
        """Return the result of each vendor; empty if the command loaded nothing."""
        if self.code not in {0, 1} or not self.output.startswith("{"):
            return {}
        result = json.loads(self.output)
        return {
            one["vendor"]: one
            for one in result.get("loaded", ())
            if one["vendor"] not in result["kept"]
        }

    @property
    def failures(self) -> list[tuple[str, str]]:
        """Return the errors of the vendors, and what could not be read."""
        return [
            (vendor, text)
            for vendor, one in self.loaded.items()
            for text in (*one["errors"], *one["unreadable"])
        ]

    @property
    def complete(self) -> list[str]:
        """Return the vendors that are complete by the command's own word."""
        return [
            vendor
            for vendor, one in self.loaded.items()
            if not one["errors"]
            and not one["unreadable"]
            and one["windows"] == one["planned"]
        ]


@dataclass(frozen=True)
class Copy:
    """An older copy of the warehouse, and what was published then."""

    folder: Path
    found: Published


@dataclass
class History:
    """One warehouse, its vendors, and what happened so far."""

    seed: int
    sandbox: Sandbox
    folder: Path
    vendors: Sequence[str]
    rng: Random
    now: datetime
    since: datetime
    odds: Odds
    bug: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    deleted: dict[Key, datetime] = field(default_factory=dict)
    moved: dict[Key, datetime] = field(default_factory=dict)
    excused: set[Key] = field(default_factory=set)
    """Calls that change while they are listed."""
    unseen: set[Key] = field(default_factory=set)
    """Calls deleted while the last read of their window listed them. Only the audit
    finds out, as for any call that is deleted later than the lookback."""
    hidden: set[tuple[str, date | None]] = field(default_factory=set)
    """Vendors that list nothing, or nothing of a day."""
    is_healthy: bool = True
    """Nothing was armed that could keep this night's run from being complete."""
    before: Published = field(
        default_factory=lambda: Published({}, frozenset(), (), {})
    )
    last_run: datetime | None = None
    copies: list[Copy] = field(default_factory=list)

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse"

    @property
    def published(self) -> Path:
        return self.warehouse / "calls.duckdb"

    def say(self, text: str) -> None:
        self.told.append(f"{stamp(self.now)} {text}")

    def control(self, path: str, **said: object) -> None:
        post(self.sandbox, path, said)

    def calls(self, vendor: str) -> dict[Key, Call]:
        return calls_of(self.sandbox, vendor, self.since, self.now)

    def wrong(self, *what: str) -> None:
        raise WrongError("\n  ".join(what))

    def pass_time(self, later: timedelta) -> None:
        self.now += later
        self.control("clock", now=stamp(self.now))

    def is_young(self, vendor: str, moment: datetime) -> bool:
        first = (self.now - READ_AGAIN[vendor] * DAY).date()
        return moment >= self.since and moment.date() >= first

    def living(self, vendor: str) -> dict[Key, datetime]:
        """Return calls that are over and that nights still read, and their times."""
        return {
            key: call.event_at
            for key, call in sorted(self.calls(vendor).items())
            if call.ended_at and call.ended_at < self.now - DAY / 8
            if self.is_young(vendor, call.event_at)
        }

    def heal(self) -> None:
        """Count which faults had an effect, and take all of them back."""
        for fault in armed(self.sandbox):
            self.counts[f"drawn: {fault['kind']}"] += 1
            hits = fault.get("hits", 0)
            self.counts[f"fault: {fault['kind']}"] += hits
            if fault["kind"] in sandbox_faults.CHANGES and not hits:
                self.deleted.pop(self._of(fault), None)
        undo(self.sandbox, "faults")
        self.control("blank", vendors=list(self.vendors), blank=False)
        self.unseen |= {
            key
            for key in self.excused & self.deleted.keys()
            if not self.is_young(key.vendor, self.deleted[key])
        }
        self.excused.clear()
        self.hidden.clear()
        self.is_healthy = True

    def _of(self, fault: dict[str, Any]) -> Key:
        (name,) = fault["body"]["ids"]
        return next(key for key in self.deleted if key.call_id == name)

    @property
    def environment(self) -> dict[str, str]:
        """What the command is configured with, which reads several pages of a day."""
        pages = {
            f"CALLHOUSE__SOURCES__{vendor.upper()}__PAGE_SIZE": f"{PAGE_SIZE}"
            for vendor in VENDORS
        }
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
            **self.sandbox.environment,
            "CALLHOUSE__START": f"{self.since:%Y-%m-%d}",
            "CALLHOUSE__REPORT__ENABLED": "false",
            **pages,
        }

    @property
    def named(self) -> list[str]:
        return [part for vendor in self.vendors for part in ("--vendor", vendor)]

    def start(self, *arguments: str, planted: Planted | None = None) -> Running:
        said = (*arguments, "--now", stamp(self.now), "--json")
        wrong = replace(planted or Planted(), bug=self.bug)
        return start(self.folder, said, self.environment, wrong)

    def ended(self, running: Running) -> Done:
        done = Done(*running.ended())
        told = ", ".join(done.complete) or "no vendor"
        self.say(f"{' '.join(running.arguments)}: exit {done.code}, complete: {told}")
        self.counts["runs"] += 1
        self.counts[PEAK] = max(self.counts[PEAK], done.peak)
        return done

    def run(self, *arguments: str, planted: Planted | None = None) -> Done:
        command = arguments or ("run",)
        return self.ended(self.start(*command, *self.named, planted=planted))

    def check(self, done: Done) -> None:
        """Compare what is published with the truth, for every complete vendor."""
        if done.code == 0 and sorted(done.complete) != sorted(self.vendors):
            said = f"it printed {done.output!r}", done.errors[-2000:]
            self.wrong("exit code 0, but not every vendor is complete", *said)
        if done.code not in {0, 1}:
            self.wrong(f"exit code {done.code}", done.errors[-2000:])
        if self.is_healthy and done.code != 0:
            told = (f"{one}: {error}" for one, error in done.failures)
            self.wrong("a healthy run is not complete", *told, done.errors[-3000:])
        found = published(self.published)
        wrong: list[str] = []
        for vendor in done.complete:
            calls = self.calls(vendor)
            self.counts["calls compared"] += len(calls)
            wrong += differences(
                vendor,
                calls,
                found,
                since=self.since,
                now=self.now,
                excused=self.excused | self.unseen | self.unlisted(calls),
            )
        if "evovoice" in done.complete:
            wrong += price_differences(self.sandbox, self.published)
        wrong += self.changed_texts(done)
        if wrong:
            self.counts["false successes"] += 1
            self.wrong(*wrong)
        self.before = found
        if done.complete:
            self.last_run = self.now

    def unlisted(self, calls: dict[Key, Call]) -> set[Key]:
        """Return the calls that their vendor hides in this night."""
        return {
            key
            for key, call in calls.items()
            if self.hidden & {(key.vendor, None), (key.vendor, call.event_at.date())}
        }

    def changed_texts(self, done: Done) -> Iterator[str]:
        """Yield vendors whose records are not stored as they came, NUL and all."""
        for fault in armed(self.sandbox):
            vendor = fault["vendor"]
            if fault["kind"] != "nul_in_text" or not fault.get("hits"):
                continue
            if vendor in done.complete:
                file = str(self.warehouse / f"raw/{vendor}.duckdb")
                with duckdb.connect(file, read_only=True) as raw:
                    stored = raw.table(f"raw.{TABLES[vendor]}")
                    if not len(stored.filter(r"contains(payload, 'a\u0000b')")):
                        yield f"changed: {vendor} sent a NUL that is not stored"

    def examine(self) -> None:
        """The doctor finds every invariant of this warehouse unbroken."""
        done = self.ended(self.start("doctor", "--offline"))
        if done.code != 0:
            self.wrong(f"the doctor ends with {done.code}", done.output, done.errors)
        for one in json.loads(done.output)["invariants"]:
            self.counts[f"invariants: {one['name']} {one['state']}"] += 1

    def unchanged(self, what: str) -> None:
        """A run that did not come to its end changed nothing that analysts see."""
        if published(self.published).facts != self.before.facts:
            self.wrong(f"{what} changed what is published")


def armed(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return the faults that are armed, and how many answers each has changed."""
    answer = requests.get(f"{sandbox.url}/_sandbox/faults", timeout=PATIENCE)
    found: list[dict[str, Any]] = answer.json()
    return found
