"""Fifty days of one vendor: how much more than the limit does each way to load take?

The limit is DuckDB reading the same bytes as lines. Each command is measured beside the
same command on nothing, which is its start-up.
"""

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path

import duckdb
from bench.measures import FOLDER, Figures, Measure, beyond, fresh, nothing, records
from bench.product import Product
from bench.records import A_DAY, DAYS, NOW
from bench.server import serving
from bench.tree import Cost, measured

SHAPES = {"flat": "twin", "nested": "voximplant"}
TABLES = {"twin": "calls", "voximplant": "call_sessions"}
ROWS = DAYS * A_DAY
PEERS = Path(__file__).with_name("peers")
QUIET = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "DO_NOT_TRACK": "true",
    "AIRBYTE_OFFLINE_MODE": "1",
}
"""A peer sends nothing to its maker, and waits for no answer from there."""
NOWHERE = "http://127.0.0.1:9"
FEWER = 5
"""Days for a peer that is slow, or that is out of memory with all fifty."""


def download(vendor: str) -> Figures:
    def run(url: str, folder: Path) -> Cost:
        return measured([sys.executable, PEERS / "download.py", url], {}, folder)

    return _served(vendor, DAYS, run)


def _served(vendor: str, days: int, run: Callable[[str, Path], Cost]) -> Figures:
    """Measure what takes an address and a folder; its start-up is with one record."""
    file = records(vendor, days)
    one = file.with_name(f"{vendor}-one.ndjson")
    with file.open("rb") as lines:
        one.write_bytes(lines.readline())
    costs = []
    for source in (one, file):
        with serving(vendor, source) as url:
            costs.append(run(url, fresh("peer")))
    return beyond(costs[1], costs[0], days * A_DAY)


def limit(vendor: str) -> Figures:
    lines, types = records(vendor), fresh("types") / "types.json"
    command = [sys.executable, PEERS / "read_json.py"]
    measured([*command, lines, types], folder=fresh("limit"))
    start_up = measured([*command, nothing(), types], folder=fresh("limit"))
    full = measured([*command, lines, types], folder=fresh("limit"))
    return beyond(full, start_up, ROWS)


def load(vendor: str) -> Figures:
    with serving(vendor, nothing()) as url:
        # The first and the last window alone: every one has a price of its own.
        empty = product(vendor, url, "work/empty", days=0).emptied()
        start_up = empty.load()
    with serving(vendor, records(vendor)) as url:
        ours = product(vendor, url, "work/load").emptied()
        full = ours.load()
    check(ours.stored(TABLES[vendor]), ROWS)
    size = {"bytes": ours.raw.stat().st_size, "json": records(vendor).stat().st_size}
    return {**beyond(full, start_up, ROWS), **size}


def product(vendor: str, url: str, name: str, days: int = DAYS) -> Product:
    start = NOW.replace(hour=0) - timedelta(days=days)
    return Product(FOLDER / f"{name}-{vendor}", vendor, url, start)


def check(found: int, expected: int) -> None:
    if found != expected:
        raise RuntimeError(f"{found} rows, not {expected}: what was measured is wrong")


def build(vendor: str) -> Figures:
    """Measure a full build, into a warehouse that has raw files alone."""
    costs = []
    for source in (nothing(), records(vendor)):
        before = loaded(vendor, source)
        ours = product(vendor, NOWHERE, "work/build").emptied()
        shutil.copytree(before.raw.parent, ours.raw.parent)
        costs.append(ours.run("transform", "--full"))
    check(ours.calls(), ROWS)
    return beyond(costs[1], costs[0], ROWS)


def loaded(vendor: str, source: Path) -> Product:
    """Return a warehouse that has loaded a file, made on first use."""
    kept = product(vendor, NOWHERE, f"loaded/{source.stem}")
    if not kept.folder.exists():
        with serving(vendor, source) as url:
            ours = product(vendor, url, "work/loading").emptied()
            ours.load()
        kept.folder.parent.mkdir(exist_ok=True)
        ours.folder.rename(kept.folder)
    return kept


def peer(vendor: str, program: str, days: int = DAYS, home: str = "") -> Figures:
    """Measure a program of ``peers``, which loads the plain list into a DuckDB file."""
    python = sys.executable
    if home:
        python = str(Path(home, "bin", "python").absolute())
        if not Path(home, "installed").exists():
            raise RuntimeError(f"make {home}/installed has not succeeded")

    name, *words = program.split()

    def run(url: str, folder: Path) -> Cost:
        return measured([python, PEERS / name, url, *words], QUIET, folder)

    took = _served(vendor, days, run)
    # With exit code 0 a tap with a wrong setting has loaded one page of fifty.
    (file,) = (FOLDER / "work" / "peer").glob("*.duckdb")
    with duckdb.connect(str(file), read_only=True) as connection:
        ((schema,),) = connection.execute(
            "select schema_name from duckdb_tables() where table_name = 'calls'"
        ).fetchall()
        ((found,),) = connection.table(f"{schema}.calls").count("*").fetchall()
    check(found, days * A_DAY)
    return took


SINGER, AIRBYTE = ".venv-bench-singer", ".venv-bench-airbyte"
TAKES: Mapping[str, tuple[Callable[..., Figures], int]] = {
    "download": (download, 5),
    "limit": (limit, 5),
    "load": (load, 3),
    "build": (build, 3),
    "dlt Parquet": (partial(peer, program="dlt_rest.py parquet"), 3),
    "dlt default": (partial(peer, program="dlt_rest.py", days=FEWER), 3),
    "Singer": (partial(peer, program="singer.py", days=FEWER, home=SINGER), 3),
    "PyAirbyte": (partial(peer, program="pyairbyte.py", days=FEWER, home=AIRBYTE), 3),
}


def measures() -> Iterator[Measure]:
    """Yield what both shapes are measured by, in the order of a round."""
    for shape, vendor in SHAPES.items():
        for name, (take, times) in TAKES.items():
            yield Measure(f"{shape} {name}", partial(take, vendor), times)
