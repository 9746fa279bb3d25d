"""How much longer than downloading alone does a load take, from a slow vendor?"""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.measures import Figures, Measure, nothing, records
from bench.records import DAYS
from bench.server import serving
from bench.throughput import PEERS, product
from bench.tree import measured

PACES = {"20 MB/s": (20_000_000, 0.0), "200 ms a request": (0, 0.2)}
VENDOR = "voximplant"
"""It has one list of calls: a day is one request, as it is of downloading alone."""


def paced(pace: int, delay: float) -> Figures:
    """Measure seconds of wall time: downloading alone, a load, and a whole run."""
    empty = _walls(nothing(), pace, delay, days=0)
    full = _walls(records(VENDOR), pace, delay, days=DAYS)
    return {name: full[name] - empty[name] for name in full}


def _walls(source: Path, pace: int, delay: float, days: int) -> dict[str, float]:
    with serving(VENDOR, source, pace, delay) as url:
        ours = product(VENDOR, url, "work/paced", days)
        download = measured([sys.executable, PEERS / "download.py", url]).wall
        load = ours.emptied().load().wall
        run = ours.emptied().run("run", "--no-audit", "--quiet").wall
    return {"download": download, "load": load, "run": run}


def measures() -> Iterator[Measure]:
    for name, (pace, delay) in PACES.items():
        yield Measure(name, partial(paced, pace, delay), 3)
