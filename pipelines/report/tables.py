"""The rows that the report shows, read from the published file by the queries here.

They are of the last days only, and grouped: a page stays as small and as fast, however
long the history behind it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any

import duckdb

from pipelines.config.report import Report
from pipelines.report.charts import CHARTS
from pipelines.warehouse.number_protection import masked_texts, protected_columns
from pipelines.warehouse.opening import PUBLISHED_FILE, read
from pipelines.warehouse.published_queries import Row, rows_of_result
from transforms.runner.storage import Place

QUERIES = sorted({*(chart.query for chart in CHARTS), "metrics", "stories"})
ROW_WEIGHTS = {"calls": 1, "service": 4}
"""The largest tables, and how large a row of each is, in rows of the calls by date."""
MOST_WEIGHT = 12_000
"""About a megabyte of rows. Where there are more, the page shows half of the days."""
NUMBERS = frozenset({"customer_number", "business_number"})
NAMES = frozenset({"queue", "queue_name", "cost_center", "payer"})
"""Columns of names, beside those that the dictionary says may have a number."""


@dataclass(frozen=True)
class ReportTables:
    """What a page shows."""

    context: Row
    """The row of ``queries/context.sql``, and the dates that the tables are of."""
    sql: Mapping[str, str]
    """The queries by name, as anybody can run them."""
    rows: Mapping[str, list[Row]]
    """Their rows by name."""


def read_tables(published: Place, settings: Report) -> ReportTables:
    """Return the rows of all queries over one published file.

    Raises `FileError` for a file that cannot be read.
    """
    with read(published, PUBLISHED_FILE) as connection:
        connection.execute("set TimeZone = 'UTC'")
        (context,) = _rows(connection, "context")
        given, found = _select_dates(connection, context, settings)
        found |= {
            name: _rows(connection, name) for name in QUERIES if name not in found
        }
        personal = {column for _, column in protected_columns(connection)} | NAMES
    if not settings.phone_numbers:
        found = _without_numbers(found, personal)
    context |= given
    return ReportTables(context, {name: _as_run(name, given) for name in found}, found)


def _select_dates(
    connection: duckdb.DuckDBPyConnection, context: Row, settings: Report
) -> tuple[dict[str, Any], dict[str, list[Row]]]:
    """Set the variables of the queries, the dates and how many calls; return them.

    The dates are the last ones, as many as the settings say: where there are very many
    rows, half of them, or half of that. Return the largest tables, too.
    """
    last = max(filter(None, (context["last_date"], context["as_of_date"])))
    for days in _halves(settings.days):
        first = last - timedelta(days=days - 1)
        first = max(first, context["first_date"] or first)
        given = {"first_date": first, "last_date": last, "calls": settings.calls}
        for name, value in given.items():
            connection.execute(f"set variable {name} = $1", [value])
        found = {name: _rows(connection, name) for name in ROW_WEIGHTS}
        if sum(ROW_WEIGHTS[one] * len(found[one]) for one in found) <= MOST_WEIGHT:
            break
    return given, found


def _halves(days: int) -> Iterator[int]:
    while days:
        yield days
        days //= 2


def as_columns(rows: Sequence[Row]) -> dict[str, Any]:
    """Return rows by column, as JSON values: each different text stands there once.

    The kind of a column is text, number, decimal (as texts: money is never a float),
    flag, or null for one without a value.
    """
    names = rows[0] if rows else ()
    return {name: _column([row[name] for row in rows]) for name in names}


def _rows(connection: duckdb.DuckDBPyConnection, name: str) -> list[Row]:
    return rows_of_result(connection.execute(_text(name)))


def _text(name: str) -> str:
    folder = files("pipelines.report") / "queries"
    return folder.joinpath(f"{name}.sql").read_text("utf-8")


def _as_run(name: str, given: Mapping[str, object]) -> str:
    """Return a query with the variables that it reads, for any client."""
    text = _text(name)
    steps = [
        f"set variable {variable} = {_literal(value)};\n"
        for variable, value in given.items()
        if f"'{variable}'" in text
    ]
    return "".join(steps) + text


def _literal(value: object) -> str:
    return f"date '{value}'" if isinstance(value, date) else str(value)


def _without_numbers(
    tables: Mapping[str, list[Row]], personal: Iterable[str]
) -> dict[str, list[Row]]:
    """Return rows without phone numbers, names that may be one masked."""
    names = {*personal} - NUMBERS
    texts = {
        row[name]
        for rows in tables.values()
        for row in rows
        for name in names & row.keys()
        if isinstance(row[name], str)
    }
    masked = masked_texts(texts)
    return {
        table: [
            {
                name: masked.get(value, value) if name in names else value
                for name, value in row.items()
                if name not in NUMBERS
            }
            for row in rows
        ]
        for table, rows in tables.items()
    }


def _column(values: Sequence[Any]) -> dict[str, Any]:
    found = next((one for one in values if one is not None), None)
    if isinstance(found, bool):
        return {"kind": "flag", "values": values}
    if isinstance(found, int | float):
        return {"kind": "number", "values": values}
    if isinstance(found, Decimal):
        return {"kind": "decimal", "values": [_exact(one) for one in values]}
    texts = [_said(one) for one in values]
    words = {one: place for place, one in enumerate(dict.fromkeys(texts))}
    places = [words[one] for one in texts]
    return {"kind": "text" if found else "null", "words": [*words], "places": places}


def _exact(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"


def _said(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return str(value)
