"""Progress of a run: bars on a terminal, a plain line per batch into a log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from pipelines.commands.pace import pace
from pipelines.load.turns import Progress as Report


@contextmanager
def shown_progress(console: Console) -> Iterator[Report]:
    """Show bars on a terminal, and a line per batch anywhere else."""
    began: dict[str, float] = {}

    def speed(vendor: str, done: int, planned: int, records: int) -> str:
        now = time.monotonic()
        text = pace(now - began.setdefault(vendor, now), done, planned, records)
        return f", {text}" if text else ""

    if not console.is_terminal:

        def line(vendor: str, done: int, planned: int, records: int, note: str) -> None:
            if planned or not note:
                text = f"{vendor}: {done} of {planned} windows, {records:,} records"
                text += speed(vendor, done, planned, records)
                console.print(text, highlight=False)
            if note:
                console.print(f"{vendor}: {note}", highlight=False, markup=False)

        yield line
        return
    columns = (
        TextColumn("{task.description:<11}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("windows, {task.fields[records]:,} records{task.fields[speed]}"),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, Any] = {}

        def bar(vendor: str, done: int, planned: int, records: int, note: str) -> None:
            if note:
                text = f"{vendor}: {note}"
                bars.console.print(text, highlight=False, markup=False)
            if note and not planned:
                return
            if vendor not in tasks:
                tasks[vendor] = bars.add_task(vendor, records=0, speed="")
            pace_now = speed(vendor, done, planned, records)
            bars.update(
                tasks[vendor],
                total=planned,
                completed=done,
                records=records,
                speed=pace_now,
            )

        yield bar
