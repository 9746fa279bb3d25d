"""Nights of the real command over invented histories, compared with the truth.

``python -m harness.nights --seeds 1-20 --nights 12 --minutes 60`` (``make soak``). Each
seed is a history: of the calls that five vendors of the sandbox have, what they do to
them, what goes wrong with their answers, and what happens to the process and its files.
After every run that says it is complete the published calls are those of the vendors:
none is lost, stale, there twice, or a ghost. What is not compared, and why: calls that
changed while they were listed (either state is true), days that a vendor hides
(nobody could know), deleted calls that only one run has missed (the rule of deletion
asks for two), and windows whose last read had a record that could not be read (it is
in quarantine, and may be any of them).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import requests
from conftest import TABLES, VENDORS
from harness import events
from harness.events import Odds
from harness.truth import Call, Key, Published, calls_of, differences, published
from patience import PATIENCE
from sandbox_control import post, stamp, undo

from pipelines.planning.windows import DAY, read_time
from pipelines.sandbox import faults as sandbox_faults
from pipelines.sandbox.process import Sandbox, running_sandbox

TESTS = Path(__file__).parents[1]
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


class WrongError(Exception):
    """The product broke a promise."""


@dataclass(frozen=True)
class Done:
    """One command: its exit code, and what it printed."""

    code: int
    output: str
    errors: str

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

    def say(self, text: str) -> None:
        self.told.append(f"{stamp(self.now)} {text}")

    def control(self, path: str, **said: object) -> None:
        post(self.sandbox, path, said)

    def calls(self, vendor: str) -> dict[Key, Call]:
        return calls_of(self.sandbox, vendor, self.since, self.now)

    def wrong(self, *what: str) -> None:
        raise WrongError("\n  ".join(what))

    # --- what happens to calls --------------------------------------------------------

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

    def change_calls(self) -> None:
        """Let things happen to calls of every vendor."""
        for vendor in self.vendors:
            for change in (
                self.restore,
                self.move,
                self.delete,
                self.late,
                self.undate,
                self.erase,
            ):
                if self.rng.random() < getattr(self.odds, change.__name__):
                    change(vendor)

    def delete(self, vendor: str) -> None:
        """Delete a few; of a sparse day, now and then, all of it."""
        waiting = [
            key
            for key in self.deleted
            if key.vendor == vendor and key not in self.before.deleted
        ]
        room = MOST_MISSING - len(waiting)
        living = self.living(vendor)
        days = Counter(moment.date() for moment in living.values())
        small = [day for day, count in days.items() if count <= room]
        if self.rng.random() < self.odds.empty:
            day = self.rng.choice(small) if small else None
            keys = [key for key, moment in living.items() if moment.date() == day]
            self.counts["calls: day emptied"] += bool(keys)
        else:
            keys = self.rng.sample(sorted(living), k=max(0, min(2, room, len(living))))
        for key in keys:
            self.control("removed", vendor=vendor, ids=[key.call_id])
            self.deleted[key] = living[key]
            self.counts["calls: deleted"] += 1
            self.say(f"{key} of {stamp(living[key])} is deleted")

    def restore(self, vendor: str) -> None:
        for key, moment in sorted(self.deleted.items()):
            if key.vendor == vendor and self.is_young(vendor, moment):
                self.control("removed", vendor=vendor, ids=[key.call_id], removed=False)
                del self.deleted[key]
                self.counts["calls: restored"] += 1
                self.say(f"{key} of {stamp(moment)} is restored")
                return

    def move(self, vendor: str) -> None:
        """Move a call within its day or to a neighbour, to an edge now and then."""
        living = self.living(vendor)
        if not living:
            return
        key = self.rng.choice(sorted(living))
        midnight = living[key].replace(hour=0, minute=0, second=0, microsecond=0)
        second = self.rng.choice((0, 86_399, self.rng.randrange(86_400)))
        new = midnight + self.rng.choice((-1, 0, 1)) * DAY + timedelta(seconds=second)
        if self.is_young(vendor, new) and new < self.now - DAY / 8:
            noted = self.rng.random() < 1 / 2
            said = {"ids": [key.call_id], "start": stamp(new), "noted": noted}
            self.control("moved", vendor=vendor, **said)
            self.counts["calls: moved"] += 1
            self.say(f"{key} moves from {stamp(living[key])} to {stamp(new)}")

    def late(self, vendor: str) -> None:
        """List a call that no run could see yet one day or more after its start."""
        if self.last_run is None:
            return
        fresh = [
            key
            for key, call in sorted(self.calls(vendor).items())
            if call.event_at > self.last_run
        ]
        if fresh:
            key, days = self.rng.choice(fresh), self.rng.randint(1, READ_AGAIN[vendor])
            self.control("late", vendor=vendor, ids=[key.call_id], days=days)
            self.counts["calls: listed late"] += 1
            self.say(f"{key} is listed {days} days late")

    def undate(self, vendor: str) -> None:
        if vendor in {"evovoice", "twin", "whippy"} and (living := self.living(vendor)):
            key = self.rng.choice(sorted(living))
            self.control("undated", vendor=vendor, ids=[key.call_id])
            self.counts["calls: undated"] += 1
            self.say(f"{key} loses its time of change")

    def erase(self, vendor: str) -> None:
        if vendor == "twin" and (living := self.living(vendor)):
            key = self.rng.choice(sorted(living))
            self.control("erased", vendor=vendor, ids=[key.call_id])
            self.counts["calls: erased"] += 1
            self.say(f"{key} is depersonalised")

    # --- what happens to answers ------------------------------------------------------

    def spoil_answers(self) -> None:
        """Arm faults, and hide days or everything of a vendor."""
        for vendor in self.vendors:
            if self.rng.random() < self.odds.fault:
                fault = events.fault(self.rng, vendor, self.odds)
                self.control("faults", **fault)
                self.is_healthy &= fault["kind"] in events.HARMLESS
                self.say(f"fault: {fault}")
            if self.rng.random() < self.odds.meanwhile:
                self.change_meanwhile(vendor)
            if self.before.facts and self.rng.random() < self.odds.blank:
                self.control("blank", vendors=[vendor])
                self.hidden.add((vendor, None))
                self.is_healthy = False
                self.counts["answers: nothing listed"] += 1
                self.say(f"{vendor} lists nothing")
            elif self.rng.random() < self.odds.hidden_day:
                self.hide_a_day(vendor)

    def hide_a_day(self, vendor: str) -> None:
        day = (self.now - self.rng.randint(0, READ_AGAIN[vendor]) * DAY).date()
        self.control("blank", vendors=[vendor], days=[f"{day}"])
        self.hidden.add((vendor, day))
        self.is_healthy = False
        self.counts["answers: day hidden"] += 1
        self.say(f"{vendor} hides {day}")

    def change_meanwhile(self, vendor: str) -> None:
        """Delete a call while its day is listed: of those that no run has seen yet.

        Before the first run that is its first day, whose second page is the first of
        all later pages: what moves up there into the first page is seen by nobody.
        """
        fresh = sorted(
            (call.event_at, key)
            for key, call in self.calls(vendor).items()
            if call.event_at >= max(self.since, self.last_run or self.since)
        )
        if self.last_run is None and fresh:
            fresh = [one for one in fresh if one[0].date() == fresh[0][0].date()]
        if not fresh:
            return
        moment, key = self.rng.choice([*fresh[:PAGE_SIZE], *fresh[-PAGE_SIZE:]])
        kind = self.rng.choice(("meanwhile", "later_page", "later_page"))
        body = {"vendor": vendor, "ids": [key.call_id]}
        after = self.rng.randint(0, 3) if kind == "meanwhile" else 0
        self.control("faults", vendor=vendor, kind=kind, body=body, after=after)
        self.excused.add(key)
        self.deleted[key] = moment
        self.say(f"{key} of {stamp(moment)} is deleted at a {kind}")

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
        self.excused.clear()
        self.hidden.clear()
        self.is_healthy = True

    def _of(self, fault: dict[str, Any]) -> Key:
        (name,) = fault["body"]["ids"]
        return next(key for key in self.deleted if key.call_id == name)

    # --- runs -------------------------------------------------------------------------

    def start(self, *arguments: str, **planted: str) -> subprocess.Popen[str]:
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
            "PYTHONPATH": str(TESTS),
            **self.sandbox.environment,
            "CALLHOUSE__START": f"{self.since:%Y-%m-%d}",
            "HARNESS_BUG": self.bug,
            **{f"HARNESS_{name.upper()}": text for name, text in planted.items()},
        }
        for vendor in VENDORS:
            environment[f"CALLHOUSE__SOURCES__{vendor.upper()}__PAGE_SIZE"] = (
                f"{PAGE_SIZE}"
            )
        return subprocess.Popen(
            [sys.executable, "-m", "harness.launch", *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, process: subprocess.Popen[str]) -> Done:
        output, errors = process.communicate(timeout=10 * PATIENCE)
        done = Done(process.returncode, output, errors)
        told = ", ".join(done.complete) or "no vendor"
        self.say(f"{process.args[3:]}: exit {done.code}, complete: {told}")
        self.counts["runs"] += 1
        return done

    def run(self, *arguments: str, **planted: str) -> Done:
        named = [part for vendor in self.vendors for part in ("--vendor", vendor)]
        command = arguments or ("run",)
        process = self.start(
            *command, "--now", stamp(self.now), "--json", *named, **planted
        )
        return self.ended(process)

    def check(self, done: Done) -> None:
        """Compare what is published with the truth, for every complete vendor."""
        if done.code == 0 and sorted(done.complete) != sorted(self.vendors):
            self.wrong("exit code 0, but not every vendor is complete", done.output)
        if done.code not in {0, 1}:
            self.wrong(f"exit code {done.code}", done.errors[-2000:])
        if self.is_healthy and done.code != 0:
            self.wrong("a healthy run is not complete", done.errors[-3000:])
        found = published(self.warehouse / "calls.duckdb")
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
                excused=self.excused | self.unlisted(calls),
            )
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
        done = self.ended(self.start("doctor", "--now", stamp(self.now), "--json"))
        if done.code != 0:
            self.wrong(f"the doctor ends with {done.code}", done.output, done.errors)
        for one in json.loads(done.output)["invariants"]:
            self.counts[f"invariants: {one['name']} {one['state']}"] += 1

    def unchanged(self, what: str) -> None:
        """A run that did not come to its end changed nothing that analysts see."""
        if published(self.warehouse / "calls.duckdb").facts != self.before.facts:
            self.wrong(f"{what} changed what is published")

    # --- nights -----------------------------------------------------------------------

    def night(self) -> None:
        """Let things happen, run the command, compare, and heal."""
        self.pass_time(DAY)
        self.counts["nights"] += 1
        kind = events.night(self.rng, self.odds)
        self.change_calls()
        self.spoil_answers()
        self.say(f"night: {kind}")
        getattr(self, kind)()
        self.heal()

    def quiet_night(self) -> None:
        self.pass_time(DAY)
        self.counts["nights"] += 1
        self.plain()

    def plain(self) -> None:
        self.check(self.run())

    def killed(self) -> None:
        """Kill the command, or a load of it, up to three times; then let it run."""
        for _ in range(self.rng.randint(1, 3)):
            place = self.rng.choice(("command", *self.vendors))
            most = 130 if place == "command" else 900
            done = self.run(kill=f"{place}:{self.rng.randint(1, most)}")
            is_dead = done.code == KILLED or "exit code -9" in done.output
            self.counts[f"drawn: kill of {kind_of(place)}"] += 1
            self.counts[f"fault: kill of {kind_of(place)}"] += is_dead
            if done.code != KILLED:
                was_healthy, self.is_healthy = self.is_healthy, False
                self.check(done)
                self.is_healthy = was_healthy
        self.check(self.run())
        self.counts["recoveries"] += 1

    def missed(self) -> None:
        """No run for some nights, whatever happens meanwhile."""
        for _ in range(self.rng.randint(1, 5)):
            self.pass_time(DAY)
            self.counts["fault: missed night"] += 1
        self.plain()

    def at_once(self) -> None:
        """Of two runs at the same time one is refused, at least if they really meet."""
        named = [part for vendor in self.vendors for part in ("--vendor", vendor)]
        both = [
            self.start("run", "--now", stamp(self.now), "--json", *named)
            for _ in range(2)
        ]
        done = [self.ended(one) for one in both]
        refused = [one for one in done if one.code == REFUSED]
        self.counts["drawn: two at once"] += 1
        self.counts["fault: two at once"] += len(refused)
        ran = [one for one in done if one.code != REFUSED]
        if len(ran) != 1:
            codes = [one.code for one in done]
            self.wrong(f"two runs at once ended with {codes}", done[0].errors[-900:])
        self.check(ran[0])

    def again(self) -> None:
        """The same night once more changes no row."""
        self.check(self.run())
        calm = self.is_healthy and not self.excused | self.hidden
        done = self.run()
        self.check(done)
        changed = {
            vendor: one["changed"]
            for vendor, one in done.loaded.items()
            if one["changed"]
        }
        if calm and changed:
            self.wrong(f"the same run again stored {changed} records")
        self.counts["fault: run again"] += calm

    def backfill(self) -> None:
        """Load a range of days by hand, before the night."""
        days_back = self.rng.randint(0, (self.now - self.since).days)
        first = self.now - days_back * DAY
        last = min(first + self.rng.randint(0, 3) * DAY, self.now)
        force = ["--force"] if self.rng.random() < 1 / 2 else []
        days = ("--from", f"{first:%Y-%m-%d}", "--to", f"{last:%Y-%m-%d}")
        done = self.run("backfill", *days, *force)
        if done.code not in {0, 1}:
            self.wrong(f"a backfill ended with {done.code}", done.errors[-2000:])
        self.counts["fault: backfill"] += bool(done.complete)
        self.plain()

    def restored(self) -> None:
        """An older copy of the warehouse is put back, and the next one is kept."""
        if self.copies:
            copy = self.rng.choice(self.copies)
            missing = Counter(
                key.vendor
                for key in self.deleted
                if key in copy.found.facts and key not in copy.found.deleted
            )
            if max(missing.values(), default=0) <= MOST_MISSING:
                shutil.rmtree(self.warehouse)
                shutil.copytree(copy.folder, self.warehouse, symlinks=True)
                self.counts["fault: older copy"] += 1
                self.say(f"the warehouse is {copy.folder.name} again")
        self.plain()
        self.keep_a_copy()

    def keep_a_copy(self) -> None:
        folder = self.folder / f"copy-{self.now:%Y%m%d}"
        if not folder.exists():
            shutil.copytree(self.warehouse, folder, symlinks=True)
            self.copies.append(Copy(folder, self.before))

    def wiped(self) -> None:
        """The folder that dlt works in is gone, as after a new machine."""
        shutil.rmtree(self.warehouse / "dlt", ignore_errors=True)
        self.counts["fault: dlt folder gone"] += 1
        self.plain()

    def check_fails(self) -> None:
        """A build that breaks a check publishes nothing."""
        done = self.run(check="fails")
        self.counts["fault: check fails"] += done.code == CHECK_FAILED
        if done.code != CHECK_FAILED:
            self.wrong(f"a check failed, and the exit code is {done.code}", done.errors)
        self.unchanged("a build whose check failed")
        self.plain()

    def disk_full(self) -> None:
        """The disk is full: the run says so, and what is published stays."""
        with full_disk(self.warehouse) as is_full:
            if is_full:
                done = self.run()
                is_stopped = done.code in {REFUSED, CHECK_FAILED}
                self.counts["drawn: disk full"] += 1
                self.counts["fault: disk full"] += is_stopped
                if is_stopped:
                    self.unchanged("a run on a full disk")
                else:  # it may have had room enough: then it is right as any other
                    was_healthy, self.is_healthy = self.is_healthy, False
                    self.check(done)
                    self.is_healthy = was_healthy
        self.plain()


def kind_of(place: str) -> str:
    return "the command" if place == "command" else "a load"


def armed(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Return the faults that are armed, and how many answers each has changed."""
    answer = requests.get(f"{sandbox.url}/_sandbox/faults", timeout=PATIENCE)
    found: list[dict[str, Any]] = answer.json()
    return found


@contextmanager
def full_disk(folder: Path) -> Iterator[bool]:
    """Put a folder on a small disk with no room, where root may mount one."""
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.mkdir()
    sizes = [4 + (one.lstat().st_size >> 10) for one in aside.rglob("*")]
    room = f"size={sum(sizes) + 200}k"
    mount = ["/usr/bin/mount", "-t", "tmpfs", "-o", room, "none", str(folder)]
    is_mounted = os.geteuid() == 0 and not subprocess.run(mount, check=False).returncode
    try:
        if is_mounted:
            shutil.copytree(aside, folder, symlinks=True, dirs_exist_ok=True)
        yield is_mounted
    finally:
        if is_mounted:
            shutil.copytree(folder / "raw", aside / "raw", dirs_exist_ok=True)
            subprocess.run(["/usr/bin/umount", str(folder)], check=True)
        folder.rmdir()
        aside.rename(folder)


@contextmanager
def opened(
    seed: int, vendors: Sequence[str], odds: Odds, bug: str = ""
) -> Iterator[History]:
    """Give the history of a seed, before its first night."""
    rng = Random(seed)  # noqa: S311
    begin, volume = rng.choice(BEGINS), rng.randint(4, 9)
    since = (begin - rng.randint(2, 6) * DAY).replace(hour=0)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_sandbox(begin, seed=seed, volume=volume) as sandbox,
    ):
        yield History(
            seed, sandbox, Path(folder), vendors, rng, begin, since, odds, bug
        )


def live(history: History, nights: int, quiet: int = 2) -> None:
    """Live through a history: eventful nights, and quiet ones at its end."""
    history.counts["nights"] += 1
    history.say("first night")
    for vendor in history.vendors:
        if history.rng.random() < history.odds.meanwhile:
            history.change_meanwhile(vendor)
    if history.odds.nights is None or history.odds.nights.get("killed"):
        history.killed()
    else:
        history.plain()
    history.heal()
    history.keep_a_copy()
    for _ in range(nights):
        history.night()
    for _ in range(quiet):
        history.quiet_night()
    if quiet:
        history.examine()


def replay(seed: int, nights: int, vendors: Sequence[str], bug: str) -> str:
    names = [part for vendor in vendors for part in ("--vendor", vendor)]
    planted = ["--bug", bug] if bug else []
    arguments = ["--seeds", f"{seed}", "--nights", f"{nights}", *names, *planted]
    command = " ".join(["python -m harness.nights", *arguments])
    return f"PYTHONPATH=tests .venv/bin/{command}"


def one_history(
    seed: int,
    nights: int,
    vendors: Sequence[str],
    odds: Odds | None = None,
    bug: str = "",
    *,
    quiet: int = 2,
) -> tuple[Counter[str], str]:
    """Live through the history of a seed; return its counts, and what went wrong."""
    with opened(seed, vendors, odds or Odds(), bug) as history:
        try:
            live(history, nights, quiet)
        except WrongError as error:
            lines = [f"seed {seed}, night {history.counts['nights']}:", *history.told]
            lines += [f"wrong: {error}", f"again: {replay(seed, nights, vendors, bug)}"]
            return history.counts, "\n  ".join(lines)
        return history.counts, ""


def never_effective(counts: Counter[str]) -> list[str]:
    """Return what was drawn and never took effect, so that it proved nothing."""
    drawn = {name.partition(": ")[2] for name in counts if name.startswith("drawn")}
    return sorted(name for name in drawn if not counts[f"fault: {name}"])


def main() -> int:
    """Live through seeds that the file of results does not have yet."""
    parser = argparse.ArgumentParser(prog="python -m harness.nights")
    parser.add_argument("--seeds", default="1-20", help="1-20, or one number")
    parser.add_argument("--nights", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--vendor", action="append", choices=VENDORS)
    parser.add_argument("--bug", default="", help="plant one of harness.bugs")
    parser.add_argument("--results", type=Path, default=Path("soak.json"))
    asked = parser.parse_args()
    first, _, last = asked.seeds.partition("-")
    results = json.loads(asked.results.read_text()) if asked.results.exists() else {}
    until = time.monotonic() + 60 * asked.minutes
    for seed in range(int(first), int(last or first) + 1):
        if (name := f"{seed}/{asked.nights}{asked.bug}") in results and last:
            continue
        if time.monotonic() > until:
            break
        counts, wrong = one_history(
            seed, asked.nights, asked.vendor or VENDORS, bug=asked.bug
        )
        results[name] = {"counts": dict(counts), "wrong": wrong}
        asked.results.write_text(json.dumps(results, indent=1))
        sys.stdout.write(f"seed {seed}: {wrong or 'good'}\n")
        sys.stdout.flush()
    counts = sum((Counter(one["counts"]) for one in results.values()), Counter())
    for name, count in sorted(counts.items()):
        sys.stdout.write(f"{count:>8,} {name}\n")
    for name in never_effective(counts):
        sys.stdout.write(f"never took effect: {name}\n")
    return int(any(one["wrong"] for one in results.values()))


if __name__ == "__main__":
    sys.exit(main())
