"""Live through many seeded histories: ``python -m harness`` (``make soak``).

``--seeds 1-20 --nights 12 --minutes 60``: the results are kept in a file, so that it
can be stopped and continued. ``--kill-points`` and ``--system-calls`` take one night
of each vendor instead, and go through what may happen to its processes.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from conftest import VENDORS
from harness import kill_points, system_calls
from harness.events import Odds
from harness.history import BEGINS, PEAK, History, WrongError
from harness.nights import live
from harness.results import read_results, write_results

from pipelines.planning.windows import DAY
from pipelines.sandbox.process import running_sandbox


@contextmanager
def opened(
    seed: int, vendors: Sequence[str], odds: Odds, bug: str = ""
) -> Iterator[History]:
    """Give the history of a seed, before its first night; some have two accounts."""
    rng = Random(seed)  # noqa: S311
    begin, volume = rng.choice(BEGINS), rng.randint(4, 9)
    since = (begin - rng.randint(2, 6) * DAY).replace(hour=0)
    accounts = 2 if seed % 4 == 0 else 1
    world = {"seed": seed, "volume": volume // accounts, "accounts": accounts}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_sandbox(begin, **world) as sandbox,
    ):
        yield History(
            seed, sandbox, Path(folder), vendors, rng, begin, since, odds, bug
        )


def replay(seed: int, nights: int, vendors: Sequence[str], bug: str) -> str:
    names = [part for vendor in vendors for part in ("--vendor", vendor)]
    planted = ["--bug", bug] if bug else []
    arguments = ["--seeds", f"{seed}", "--nights", f"{nights}", *names, *planted]
    command = " ".join(["python -m harness", *arguments])
    return f"PYTHONPATH=tests .venv/bin/{command}"


def one_history(
    seed: int,
    nights: int,
    vendors: Sequence[str],
    odds: Odds | None = None,
    bug: str = "",
    *,
    quiet: int = 2,
    keep: Path | None = None,
) -> tuple[Counter[str], str]:
    """Live through the history of a seed; return its counts, and what went wrong.

    A warehouse in which something went wrong is copied into ``keep``.
    """
    with opened(seed, vendors, odds or Odds(), bug) as history:
        try:
            live(history, nights, quiet)
        except WrongError as error:
            if keep:
                place = keep / f"seed-{seed}"
                shutil.copytree(history.folder, place, symlinks=True)
            lines = [f"seed {seed}, night {history.counts['nights']}:", *history.told]
            lines += [f"wrong: {error}", f"again: {replay(seed, nights, vendors, bug)}"]
            return history.counts, "\n  ".join(lines)
        return history.counts, ""


def never_effective(counts: Counter[str]) -> list[str]:
    """Return what was drawn and never took effect, so that it proved nothing."""
    drawn = {name.partition(": ")[2] for name in counts if name.startswith("drawn")}
    return sorted(name for name in drawn if not counts[f"fault: {name}"])


def main() -> int:
    """Do what is asked for, go on where it was stopped, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m harness")
    parser.add_argument("--seeds", default="1-20", help="1-20, or one number")
    parser.add_argument("--nights", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--vendor", action="append", choices=VENDORS)
    parser.add_argument("--bug", default="", help="plant one of harness.bugs")
    parser.add_argument("--keep", type=Path, help="folder for what went wrong")
    for name in SWEEPS:
        parser.add_argument(f"--{name}", action="store_true", help="instead of seeds")
    parser.add_argument("--results", type=Path)
    asked = parser.parse_args()
    vendors = asked.vendor or VENDORS
    for name, sweep in SWEEPS.items():
        if getattr(asked, name.replace("-", "_")):
            file = asked.results or Path(f"soak-{name}.json")
            return sweep(vendors, asked.minutes, file)
    first, _, last = asked.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    file = asked.results or Path("soak.json")
    return live_through(
        seeds,
        asked.nights,
        vendors,
        asked.bug,
        minutes=asked.minutes,
        results=file,
        keep=asked.keep,
    )


SWEEPS = {"kill-points": kill_points.sweep, "system-calls": system_calls.sweep}


def live_through(
    seeds: Sequence[int],
    nights: int,
    vendors: Sequence[str],
    bug: str,
    *,
    minutes: float,
    results: Path,
    keep: Path | None,
) -> int:
    """Live through seeds that the results do not have yet; a single one always."""
    found = read_results(results)
    until = time.monotonic() + 60 * minutes
    for seed in seeds:
        if (name := f"{seed}/{nights}{bug}") in found and len(seeds) > 1:
            continue
        if time.monotonic() > until:
            break
        counts, wrong = one_history(seed, nights, vendors, bug=bug, keep=keep)
        found[name] = {"counts": dict(counts), "wrong": wrong}
        write_results(results, found)
        sys.stdout.write(f"seed {seed}: {wrong or 'good'}\n")
        sys.stdout.flush()
    counts = sum((Counter(one["counts"]) for one in found.values()), Counter())
    counts[PEAK] = max(
        (one["counts"].get(PEAK, 0) for one in found.values()), default=0
    )
    for name, count in sorted(counts.items()):
        sys.stdout.write(f"{count:>8,} {name}\n")
    for name in never_effective(counts):
        sys.stdout.write(f"never took effect: {name}\n")
    return int(any(one["wrong"] for one in found.values()))
