"""What a run tells its operator: progress while it goes, a summary when it ended.

Progress and tables go to stderr for people, or as plain lines into a log; ``--json``
puts the same facts on stdout for a machine.
"""

import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from pipelines.commands.pace import pace
from pipelines.commands.run import Night
from pipelines.commands.verify import Verdict
from pipelines.extract.errors import escaped
from pipelines.load.loader import Progress as Told
from pipelines.load.result import Outcome
from pipelines.warehouse.published import Row, rows_of

PERSONAL = frozenset(
    {"customer_number", "business_number", "from_party", "to_party", "party_name"}
    | {"agent_name", "payload"}
)
WIDE = 250
"""Columns of a table that goes into a file or a pipe."""
FIRST_QUERY = (
    "select vendor, count(*) as calls, sum(cost_total) as cost, currency "
    "from fact_calls group by all order by all"
)


@contextmanager
def told_progress(console: Console) -> Iterator[Told]:
    """Show bars on a terminal, and a line per batch anywhere else."""
    began: dict[str, float] = {}

    def speed(vendor: str, done: int, planned: int, records: int) -> str:
        now = time.monotonic()
        said = pace(now - began.setdefault(vendor, now), done, planned, records)
        return f", {said}" if said else ""

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
            told = speed(vendor, done, planned, records)
            bars.update(
                tasks[vendor],
                total=planned,
                completed=done,
                records=records,
                speed=told,
            )

        yield bar


def plain(value: object) -> object:
    """Make a value fit for JSON without changing what it says."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | Decimal):
        return str(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    if isinstance(value, Mapping):
        return {_key(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def _key(key: object) -> str:
    """Return the key of a map as JSON can have it."""
    found = plain(key)
    return found if isinstance(found, str) else str(found)


def as_json(night: Night) -> Row:
    """Return the facts of a run for a machine."""
    published = night.published
    return {
        "complete": night.is_complete,
        "kept": dict(night.kept),
        "loaded": [
            {name: getattr(outcome, name) for name in Outcome.__dataclass_fields__}
            for outcome in night.outcomes
        ],
        "warehouse": str(published) if published else None,
        "vendors": [
            {key: plain(value) for key, value in row.items()}
            for row in (rows_of(published, "calls_by_vendor") if published else [])
        ],
        "missing_rates": [
            {key: plain(value) for key, value in row.items()}
            for row in (rows_of(published, "missing_rates") if published else [])
        ],
    }


def show(console: Console, night: Night, title: str = "Tonight") -> None:
    """Print the summary an operator reads in the morning."""
    console.print(_loads(night.outcomes, title))
    for outcome in night.outcomes:
        for note in outcome.notes:
            text = f"[bold]{outcome.vendor}[/] {escape(note)}"
            console.print(text, highlight=False)
        for error in outcome.problems:
            text = f"[bold red]{outcome.vendor}[/] {escape(error)}"
            console.print(text, highlight=False)
    for vendor, why in night.kept.items():
        console.print(f"[bold red]{vendor}[/] {escape(why)}", highlight=False)
    if night.published is not None:
        # After all that is known without the file: somebody may have it open.
        console.print(_holdings(rows_of(night.published, "calls_by_vendor")))
        _show_unknown(console, rows_of(night.published, "unknown_values"))
        show_missing_rates(console, rows_of(night.published, "missing_rates"))
        place = escape(str(night.published))
        console.print(f"\nThe warehouse is [bold]{place}[/]. A first query:")
        command = sys.argv[0] if "/" in sys.argv[0] else "callhouse"
        console.print(
            f'  {command} query "{FIRST_QUERY}"', highlight=False, soft_wrap=True
        )


def _loads(outcomes: tuple[Outcome, ...], title: str) -> Table:
    counts = (
        *("windows", "records", "changed", "quarantined", "requests", "retries"),
        *("settled", "deleted", "restored", "seconds"),
    )
    table = compact_table(title, "vendor", "state", *counts, right=counts)
    for one in outcomes:
        state = "[green]complete[/]" if one.is_complete else "[bold red]open[/]"
        table.add_row(
            one.vendor,
            state,
            f"{one.windows}/{one.planned}",
            *(f"{n:,}" for n in (one.records, one.changed, one.quarantined)),
            *(f"{n:,}" for n in (one.requests, one.retries)),
            f"{one.settled:,}/{one.pending:,}",
            *(f"{n:,}" for n in (one.deleted, one.restored)),
            f"{one.seconds:.1f}",
        )
    return table


def _holdings(rows: list[Row]) -> Table:
    table = _table("In the warehouse", "vendor")
    for name in ("calls", "minutes"):
        table.add_column(name, justify="right")
    table.add_column("cost")
    for name in ("cost pending", "rows reconciled", "unknown", "quarantined"):
        table.add_column(name, justify="right")
    for row in rows:
        odd = row["windows_mismatched"]
        table.add_row(
            row["vendor"],
            f"{row['calls']:,}",
            "" if row["minutes"] is None else f"{row['minutes']:,}",
            escape(row["costs"] or "not priced"),
            f"{row['cost_pending']:,}",
            f"{row['rows_reconciled'] or 0:,}" + (f" ({odd} off)" if odd else ""),
            f"{row['unknown_values']:,}",
            f"{row['quarantined']:,}",
        )
    return table


def _show_unknown(console: Console, rows: list[Row]) -> None:
    if rows:
        words = ", ".join(
            f"{row['vendor']} {row['field']}={row['value']!r} ({row['calls']})"
            for row in rows
        )
        console.print(
            f"Words without a mapping: {words}", highlight=False, markup=False
        )


def show_missing_rates(console: Console, rows: Sequence[Row]) -> None:
    """Print which currencies lack an exchange rate, and the command that gets some."""
    if rows:
        lacks = ", ".join(
            f"{row['currency']} {row['from_day']}..{row['to_day']} ({row['calls']:,})"
            for row in rows
        )
        console.print(
            f"Calls without an exchange rate to {rows[0]['reporting_currency']}: "
            f"{lacks}; put rates in with: callhouse fx import FILE",
            highlight=False,
            markup=False,
        )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column)
    return table


def compact_table(title: str, *columns: str, right: Collection[str]) -> Table:
    """Return a table without lines; ``right`` names the columns of numbers."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in right else "left"
        table.add_column(column, justify=justify, overflow="fold")
    return table


def show_verdicts(verdicts: Sequence[Verdict]) -> None:
    """Print what does not agree on stdout, and how much was compared on stderr."""
    findings = [finding for one in verdicts for finding in one.findings]
    if findings:
        show_rows([asdict(finding) for finding in findings])
    for one in verdicts:
        stderr().print(
            f"{one.vendor}: {one.windows} windows with {one.records:,} records "
            f"compared in {one.requests} requests, {len(one.findings)} findings",
            highlight=False,
        )


def show_rows(rows: list[Row]) -> None:
    """Print the rows of a query as a table, on stdout, no cell cut short."""
    table = Table()
    for name in rows[0] if rows else ():
        right = isinstance(rows[0][name], int | Decimal | float)
        justify: Literal["left", "right"] = "right" if right else "left"
        table.add_column(Text(escaped(name)), justify=justify, overflow="fold")
    for row in rows:
        cells = ("" if v is None else str(plain(v)) for v in row.values())
        table.add_row(*(Text(escaped(cell)) for cell in cells))
    stdout().print(table)


def show_bad_rows(rows: Sequence[Row]) -> None:
    """Print the rows that broke a check, without what is personal in them."""
    show_rows([{k: v for k, v in row.items() if k not in PERSONAL} for row in rows])


class _Terminal(Console):
    """A console on which no text of a vendor can steer the terminal."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render, with what would steer the terminal spelled out."""
        for part in super().render(renderable, options):
            if part.control or part.text.isprintable():
                yield part
            else:
                lines = part.text.split("\n")
                yield Segment("\n".join(map(escaped, lines)), part.style)

    def on_broken_pipe(self) -> None:
        """Leave it to the command, which knows its exit code."""
        raise  # noqa: PLE0704 - rich calls this where it handles the error


def stdout(wide: int = WIDE) -> Console:
    """Return the console for results; ``wide``: columns where it is no terminal."""
    width = None if sys.stdout.isatty() else wide
    return _Terminal(width=width, highlight=False, emoji=False)


def stderr() -> Console:
    """Return the console for narration; stdout is kept for results."""
    width = None if sys.stderr.isatty() else 120
    return _Terminal(stderr=True, width=width, emoji=False)
