"""Consoles, tables and JSON values, for all views."""

import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from pipelines.extract.errors import escaped
from pipelines.warehouse.published_queries import Row

PERSONAL = frozenset(
    {"customer_number", "business_number", "from_party", "to_party", "party_name"}
    | {"agent_name", "payload"}
)
WIDE = 250
"""Least width of a table that goes into a file or a pipe, in characters."""
WIDEST = 1_000_000
"""More characters than any table is wide."""


def plain(value: object) -> object:
    """Return a value as JSON can have it, without loss."""
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


def plain_row(row: Row) -> Row:
    """Return a row with values as JSON can have them."""
    return {name: plain(value) for name, value in row.items()}


def plain_rows(rows: Iterable[Row]) -> list[Row]:
    """Return rows with values as JSON can have them."""
    return [plain_row(row) for row in rows]


def _key(key: object) -> str:
    """Return the key of a map as JSON can have it."""
    found = plain(key)
    return found if isinstance(found, str) else str(found)


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


def show_rows(rows: list[Row]) -> None:
    """Print rows as a table on stdout; no cell is truncated."""
    names = list(rows[0]) if rows else []
    values = [list(row.values()) for row in rows]
    numbers = {
        place
        for place, column in enumerate(zip(*values, strict=True))
        if any(isinstance(one, int | Decimal | float) for one in column)
    }
    show_table(names, numbers, values)


def show_table(
    names: Sequence[str],
    numbers: Collection[int],
    rows: Sequence[Sequence[object]],
    null: str = "",
) -> None:
    """Print rows on stdout: as a table, or below each other where that is too wide.

    ``numbers`` are the positions of the columns that are aligned to the right. ``null``
    is what stands for NULL. In a file or a pipe a table is as wide as it needs.
    """
    table = Table()
    for place, name in enumerate(names):
        justify: Literal["left", "right"] = "right" if place in numbers else "left"
        table.add_column(Text(escaped(name)), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value, null) for value in row))
    console = stdout()
    needed = _width(console, table)
    if needed <= console.width:
        console.print(table)
    elif not sys.stdout.isatty():
        stdout(needed).print(table)
    else:
        _show_below_each_other(console, names, rows, null)


def _show_below_each_other(
    console: Console, names: Sequence[str], rows: Sequence[Sequence[object]], null: str
) -> None:
    """Print each row as a list of its columns and values."""
    for number, row in enumerate(rows, start=1):
        console.print(Text(f"row {number}", "bold"))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="cyan", overflow="fold")
        grid.add_column(overflow="fold")
        for name, value in zip(names, row, strict=True):
            grid.add_row(Text(escaped(name)), _cell(value, null))
        console.print(grid)


def _width(console: Console, table: Table) -> int:
    """Return how many characters wide a table is if no line of it is folded."""
    options = console.options.update(width=WIDEST, max_width=WIDEST)
    return Measurement.get(console, options, table).maximum


def _cell(value: object, null: str) -> Text:
    if value is None:
        return Text(null, "dim")
    return Text(escaped(str(plain(value))))


def show_bad_rows(rows: Sequence[Row]) -> None:
    """Print the rows that broke a check, without personal columns."""
    show_rows([{k: v for k, v in row.items() if k not in PERSONAL} for row in rows])


class _Terminal(Console):
    """A console that escapes control characters in the texts of vendors."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render, with control characters escaped."""
        for part in super().render(renderable, options):
            if part.control or part.text.isprintable():
                yield part
            else:
                lines = part.text.split("\n")
                yield Segment("\n".join(map(escaped, lines)), part.style)

    def on_broken_pipe(self) -> None:
        """Raise the error again: the command knows its exit code."""
        raise  # noqa: PLE0704 - rich calls this where it handles the error


def stdout(wide: int = WIDE) -> Console:
    """Return the console for results; ``wide``: its width if it is not a terminal."""
    width = None if sys.stdout.isatty() else wide
    return _Terminal(width=width, highlight=False, emoji=False)


def stderr() -> Console:
    """Return the console for messages; stdout is for results only."""
    width = None if sys.stderr.isatty() else 120
    return _Terminal(stderr=True, width=width, emoji=False)
