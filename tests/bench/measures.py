"""What is measured: a name, a function, and how often it is taken."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bench.records import A_DAY, DAYS, write_records
from bench.tree import Cost

Figures: TypeAlias = Mapping[str, float]
FOLDER = Path(".bench").absolute()
"""Records, warehouses and results; git ignores it."""


@dataclass(frozen=True)
class Measure:
    """One measurement; ``take`` is called once a repetition."""

    name: str
    take: Callable[[], Figures]
    times: int = 5
    is_huge: bool = False
    """Taken only where it is asked for: it takes hours, or the memory of a server."""


def records(vendor: str, days: int = DAYS, a_day: int = A_DAY) -> Path:
    """Return the file of a vendor's records, made on first use."""
    file = FOLDER / "records" / f"{vendor}-{days}-{a_day}.ndjson"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_records(file, vendor, days, a_day)
    return file


def nothing() -> Path:
    """Return a file of no records: what a command takes with it is its start-up."""
    file = FOLDER / "records" / "nothing.ndjson"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def fresh(name: str) -> Path:
    """Return an empty folder for what one command writes."""
    folder = FOLDER / "work" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def beyond(full: Cost, start_up: Cost, rows: int) -> Figures:
    """Return what a command took beyond its start-up, and its peak memory in all."""
    return {
        "cpu": full.cpu - start_up.cpu,
        "start_up": start_up.cpu,
        "wall": full.wall - start_up.wall,
        "peak": full.peak,
        "rows": rows,
    }
