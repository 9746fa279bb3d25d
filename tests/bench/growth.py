"""Does a night cost more, the more is there already? And what does it take on disk?

A year of nightly loads is written into a raw file, and built. Then one night more is
loaded, built and published, each time from the same state.
"""

import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import duckdb
from bench.history import write_history
from bench.measures import FOLDER, Figures, Measure, records
from bench.product import Product, stamp
from bench.records import NOW
from bench.server import serving
from bench.throughput import NOWHERE, PEERS, check, loaded
from bench.tree import measured

SIZES = {"100 k": 100_000, "1 M": 1_000_000, "10 M": 10_000_000}
HUGE = "10 M"
DAYS = 365
NEW_DAYS, A_DAY, FEW = 5, 1_998, 60
"""Days that the measured night loads, with ten thousand calls on them, or few."""
UNTIL = NOW.replace(hour=0) - timedelta(days=NEW_DAYS)
"""The end of the past, whose days are closed by a read four nights later."""
QUESTIONS = (
    "Which share of what calls cost is AI?",
    "Which costs are not final?",
    "What did each cost center pay, month by month?",
    "At which hours is a queue short of people?",
    "Which weekdays are the busiest?",
    "Which calls cost far more than usual, and were they long?",
    "What does a minute cost to each country?",
)
"""Seven of docs/questions.md, by their titles."""
ASKED = 5


def product(url: str, name: str) -> Product:
    return Product(FOLDER / name, "twin", url, UNTIL - timedelta(days=DAYS))


def _past(calls: int) -> Product:
    """Return the warehouse with a past of so many calls, written on first use."""
    past = product(NOWHERE, f"past/{calls}")
    if not past.raw.exists():
        source = loaded("twin", records("twin")).raw
        write_history(past.emptied().raw, source, calls, DAYS, UNTIL)
    return past


def full_build(calls: int) -> Figures:
    past = _past(calls)
    (past.folder / "warehouse" / "build.duckdb").unlink(missing_ok=True)
    cost = past.run("transform", "--full", now=NOW - timedelta(days=1))
    check(past.calls(), calls)
    size = past.published.stat().st_size
    return {"cpu": cost.cpu, "peak": cost.peak, "rows": calls, "bytes": size}


def _before_the_night(calls: int, url: str) -> Product:
    """Return a copy of the past, built; the vendor is at ``url`` now."""
    if not (past := _past(calls)).published.exists():
        full_build(calls)
    night = product(url, "work/night").emptied()
    shutil.copytree(past.folder, night.folder, symlinks=True, dirs_exist_ok=True)
    return night


def night(calls: int) -> Figures:
    """Load ten thousand calls, then build them and publish."""
    file = records("twin", NEW_DAYS, A_DAY)
    with serving("twin", file) as url:
        after = _before_the_night(calls, url)
        load = after.load()
        result = after.folder / "publish"
        command = [sys.executable, PEERS / "steps.py", result, "transform"]
        now = ("--now", stamp(NOW))
        build = measured([*command, *now], after.environment, after.folder)
        check(after.calls(), calls + NEW_DAYS * A_DAY)
    publish = float(result.read_text())
    return {"load": load.cpu, "build": build.cpu - publish, "publish": publish}


def pending(calls: int) -> Figures:
    """Load few calls; what a long past adds to that is a search in it."""
    # Not none: a vendor that falls silent is suspected, and asked again.
    with serving("twin", records("twin", NEW_DAYS, FEW)) as url:
        short, long = (_unbuilt(size, url).load().cpu for size in (DAYS, calls))
    return {"cpu": long - short, "start_up": short}


def _unbuilt(calls: int, url: str) -> Product:
    night = product(url, "work/pending").emptied()
    night.raw.parent.mkdir(parents=True)
    shutil.copyfile(_past(calls).raw, night.raw)
    return night


def questions(calls: int) -> Figures:
    """Ask seven questions; return the median of each, in milliseconds of wall time."""
    if not (past := _past(calls)).published.exists():
        full_build(calls)
    page = Path("docs/questions.md").read_text()
    with duckdb.connect(str(past.published), read_only=True) as file:
        return {title: _milliseconds(file, page, title) for title in QUESTIONS}


def _milliseconds(file: duckdb.DuckDBPyConnection, page: str, title: str) -> float:
    sql = (
        page.split(f"## {title}\n")[1].split("```sql\n")[1].split("```", maxsplit=1)[0]
    )
    took = []
    for _ in range(ASKED):
        began = time.monotonic()
        file.execute(sql).fetchall()
        took.append(1000 * (time.monotonic() - began))
    return statistics.median(took)


def measures() -> Iterator[Measure]:
    for size, calls in SIZES.items():
        for name, take, times in (
            ("full build", full_build, 1),
            ("night", night, 3),
            ("pending", pending, 3),
            ("questions", questions, 1),
        ):
            taken = partial(take, calls)
            yield Measure(f"{name} {size}", taken, times, is_huge=size == HUGE)
