"""Print the answer of a query: as a table, as JSON, or as CSV."""

import re
import sys
from collections.abc import Callable

import msgspec
import typer
from humanize import intcomma

from pipelines.cli.tables import plain, show_table
from pipelines.commands.query import Answer

FORMULA = re.compile(r"[=@\t\r]|[+-](?![\d .,()]*$)")
"""The begin of a text that a spreadsheet runs."""
SHOWN = 200
"""How many rows a table has, unless all of them are asked for."""


def show(answer: Answer, *, every: bool) -> None:
    """Print an answer as a table; without ``every`` only its first `SHOWN` rows."""
    rows = [*answer.all_rows()] if every else answer.rows(SHOWN)
    show_table(answer.names, answer.numbers, rows, null="NULL")
    if not rows:
        typer.echo("(0 rows)")
    if left := sum(1 for _ in answer.all_rows()):
        typer.echo(f"... {intcomma(left)} more; --all prints them, --csv too")


def write_json(answer: Answer) -> None:
    """Print an answer as a list of objects, each on a line of its own."""
    _write("[")
    is_first = True
    for row in answer.all_rows():
        values = dict(zip(answer.names, map(plain, row), strict=True))
        _write(("\n" if is_first else ",\n") + msgspec.json.encode(values).decode())
        is_first = False
    _write("\n]\n")


def write_csv(answer: Answer) -> None:
    """Print an answer as CSV (RFC 4180): NULL is nothing, an empty text is ``""``.

    A text that a spreadsheet would take for a formula has a ``'`` in front (OWASP, CSV
    injection); a phone number stays as it is.
    """
    _write(",".join(map(_field, answer.names)) + "\r\n")
    for row in answer.all_rows():
        _write(",".join(map(_field, row)) + "\r\n")


def _field(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        text = f"'{value}" if FORMULA.match(value) else value
    else:
        found = plain(value)
        text = found if isinstance(found, str) else msgspec.json.encode(found).decode()
    if text and not any(one in text for one in ',"\r\n'):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _write(text: str) -> None:
    sys.stdout.buffer.write(text.encode())


FORMS: dict[str, Callable[[Answer], None]] = {"json": write_json, "csv": write_csv}
