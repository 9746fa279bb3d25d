"""What a command costs when there is nothing to do, or little at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from bench.measures import FOLDER, Figures, Measure, beyond, nothing, records
from bench.product import CALLHOUSE, Product
from bench.records import NOW
from bench.server import serving
from bench.throughput import TABLES, check, product
from bench.tree import Cost, measured

from pipelines.sandbox.process import running_sandbox

HOUR = timedelta(hours=1)
WINDOWS, IN_WINDOW = 64, 60
A_DAY = 60
"""Calls of each vendor on a weekday of the year that is loaded as a backfill."""


def help_page() -> Figures:
    return _figures(measured([CALLHOUSE, "--help"]))


def _figures(cost: Cost) -> Figures:
    return {"cpu": cost.cpu, "wall": cost.wall, "peak": cost.peak}


@contextmanager
def _five_vendors(volume: int, start: datetime) -> Iterator[Product]:
    """Yield an empty warehouse of the five sandbox vendors."""
    with running_sandbox(NOW, volume=volume, world="friendly") as sandbox:
        five = Product(FOLDER / "work" / "five", "", "", start).emptied()
        five.environment |= sandbox.environment
        yield five


def nights() -> Figures:
    """Run on five vendors with no calls, and again a day later; then ask for status."""
    with _five_vendors(0, NOW - timedelta(days=30)) as five:
        five.run("run", "--quiet", now=NOW - timedelta(days=1))
        empty = five.run("run", "--quiet")
        status = five.run("status")
    return {**_figures(empty), "status": status.cpu}


def year() -> Figures:
    """Load a year of five vendors that have few calls, by one backfill."""
    with _five_vendors(A_DAY, NOW - timedelta(days=1)) as five:
        days = (f"{NOW - timedelta(days=ago):%Y-%m-%d}" for ago in (365, 1))
        first, last = days
        cost = five.run("backfill", "--quiet", "--from", first, "--to", last)
        return {**_figures(cost), "rows": five.calls()}


def windows(vendor: str) -> Figures:
    """Load 64 days of 60 calls."""
    file = records(vendor, WINDOWS, IN_WINDOW)
    costs = []
    for source, days in ((nothing(), 0), (file, WINDOWS)):
        with serving(vendor, source) as url:
            ours = product(vendor, url, "work/small", days).emptied()
            costs.append(ours.load())
    check(ours.stored(TABLES[vendor]), WINDOWS * IN_WINDOW)
    return beyond(costs[1], costs[0], WINDOWS * IN_WINDOW)


def measures() -> Iterator[Measure]:
    yield Measure("help", help_page)
    yield Measure("empty night", nights, 3)
    yield Measure("small windows", partial(windows, "voximplant"), 3)
    yield Measure("year of five vendors", year, 1)
