"""One night of one vendor (load, build, publish), as often as it is wanted.

It begins with a warehouse that an earlier night has left, each time with a copy of it.
Whatever happens in it, what analysts read is always a whole build, and the next run
ends with exit code 0 and has each call as its vendor has it, with nobody's help.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from harness.history import Done
from harness.launch import COMMAND, Planted, start
from harness.truth import Call, Key, calls_of, differences, published
from sandbox_control import control, stamp

from pipelines.planning.windows import DAY, read_time
from pipelines.sandbox.process import Sandbox, running_sandbox

NOW = read_time("2026-11-05T03:00:00Z")
VOLUME = 4
"""Calls of a day: the fewer, the sooner a night is over; its steps are the same."""


@dataclass(frozen=True)
class OneNight:
    """A night of a vendor, the warehouse that it begins with, and its true calls."""

    vendor: str
    sandbox: Sandbox
    folder: Path
    now: datetime
    since: datetime

    def run(self, folder: Path, planted: Planted | None = None) -> Done:
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            **self.sandbox.environment,
            "CALLHOUSE__START": f"{self.since:%Y-%m-%d}",
            "CALLHOUSE__REPORT__ENABLED": "false",
        }
        command = "run", "--vendor", self.vendor, "--now", stamp(self.now), "--json"
        running = start(folder, command, environment, planted or Planted())
        return Done(*running.ended())

    @contextmanager
    def copy(self) -> Iterator[Path]:
        """Give a folder with the warehouse as it is before the night."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
            yield Path(folder)

    @cached_property
    def steps(self) -> Mapping[str, int]:
        """How many steps the command and its load take, if nothing happens to them."""
        with self.copy() as folder, tempfile.TemporaryDirectory() as counts:
            done = self.run(folder, Planted(counts=Path(counts)))
            if wrong := self.wrong_in(folder, done):
                raise RuntimeError(f"a night without any fault is not good: {wrong}")
            places = COMMAND, self.vendor
            return {one: int((Path(counts) / one).read_text()) for one in places}

    @cached_property
    def calls(self) -> Mapping[Key, Call]:
        return calls_of(self.sandbox, self.vendor, self.since, self.now)

    def wrong_in(self, folder: Path, done: Done) -> Sequence[str]:
        """Return what is wrong with what a run published.

        After a run that did not end well each call is as it was before, or as it is.
        """
        found = published(folder / "warehouse" / "calls.duckdb")
        if done.code == 0:
            span = {"since": self.since, "now": self.now}
            return [*differences(self.vendor, self.calls, found, **span)]
        before = published(self.folder / "warehouse" / "calls.duckdb")
        true = {key: call.fact for key, call in self.calls.items()}
        keys = {*found.facts, *before.facts}
        return [
            f"neither old nor new: {key}: {found.facts.get(key)}"
            for key in sorted(keys)
            if found.facts.get(key) not in (before.facts.get(key), true.get(key))
        ]

    def wrong_next(self, folder: Path) -> Sequence[str]:
        """Run once more, with no fault; return what is wrong with that."""
        done = self.run(folder)
        if done.code != 0:
            return [f"the next run ends with exit code {done.code}: {done.errors}"]
        return self.wrong_in(folder, done)


@contextmanager
def nights_of(vendors: Sequence[str]) -> Iterator[Mapping[str, OneNight]]:
    """Give the second night of each vendor, after the first has been lived through."""
    with ExitStack() as stack:
        nights = {}
        sandbox = stack.enter_context(running_sandbox(NOW, seed=3, volume=VOLUME))
        for vendor in vendors:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            since = (NOW - DAY).replace(hour=0)
            first = OneNight(vendor, sandbox, folder, NOW, since)
            if wrong := first.wrong_next(folder):
                raise RuntimeError(f"the first night is not good: {wrong}")
            nights[vendor] = OneNight(vendor, sandbox, folder, NOW + DAY, since)
        control(sandbox, "clock", now=stamp(NOW + DAY))
        yield nights
