"""Kill a night at every step of its command and of its load, one after the other.

``python -m harness --kill-points``: a step is something that the process does to a file
or a connection, as Python's audit events tell of it. The steps are taken in an order in
which it can be stopped at any time: first each 16th, then those between, so that what
was tried is always spread over the whole night. It goes on where it was stopped.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.history import KILLED
from harness.launch import COMMAND, Planted
from harness.one_night import OneNight, nights_of
from harness.results import read_results, write_results

COARSE = 16


def in_order(steps: Mapping[tuple[str, str], int]) -> list[tuple[str, str, int]]:
    """Return each step of each process: each 16th of all, then each 8th, and so on."""
    every = [
        (vendor, place, step)
        for (vendor, place), count in steps.items()
        for step in range(1, count + 1)
    ]
    return sorted(every, key=lambda one: (-_apart(one[2]), one[2]))


def _apart(step: int) -> int:
    return max(apart for apart in (1, 2, 4, 8, COARSE) if (step - 1) % apart == 0)


def kill_at(night: OneNight, place: str, step: int) -> tuple[bool, Sequence[str]]:
    """Kill a night at a step, and run again; return if it died, and what is wrong."""
    with night.copy() as folder:
        done = night.run(folder, Planted(kill=(place, step)))
        is_dead = done.code == KILLED or "exit code -9" in done.output
        wrong = night.wrong_in(folder, done) or night.wrong_next(folder)
        return is_dead, wrong


def sweep(vendors: Sequence[str], minutes: float, results: Path) -> int:
    """Kill at each step that the results do not have yet; return the exit code."""
    found = read_results(results)
    until = time.monotonic() + 60 * minutes
    with nights_of(vendors) as nights:
        steps = {
            (vendor, place): count
            for vendor, night in nights.items()
            for place, count in night.steps.items()
        }
        for vendor, place, step in in_order(steps):
            if (name := f"{vendor}/{place}/{step}") in found:
                continue
            if time.monotonic() > until:
                break
            is_dead, wrong = kill_at(nights[vendor], place, step)
            found[name] = {"dead": is_dead, "wrong": [*wrong]}
            write_results(results, found)
            sys.stdout.write(f"{name}: {wrong or 'recovered'}\n")
            sys.stdout.flush()
    for (vendor, place), count in steps.items():
        process = "the command" if place == COMMAND else "the load"
        sys.stdout.write(f"{vendor}, {process}: {_told(found, vendor, place, count)}\n")
    return int(any(one["wrong"] for one in found.values()))


def _told(found: Mapping[str, Any], vendor: str, place: str, count: int) -> str:
    tried = [one for name, one in found.items() if name.startswith(f"{vendor}/{place}")]
    killed = [one for one in tried if one["dead"]]
    good = sum(not one["wrong"] for one in killed)
    missed = len(tried) - len(killed)
    return f"{good} of {len(killed)} kills recovered, {count} steps, {missed} not hit"
