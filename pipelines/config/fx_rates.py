"""Read and write ``fx_rates.csv``: exchange rates by day, which can be edited by hand.

A row is the price of one unit of ``from_currency`` in ``to_currency`` on a day, and its
source. The models use it in ``dims/dim_fx_rates.sql``.
"""

import csv
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, TypeAlias

import duckdb
import pyarrow as pa

from pipelines.config.csv_file import read_header, read_lines
from pipelines.config.toml_file import ConfigError
from transforms.runner.storage import connect

FX_RATES = "fx_rates.csv"
"""Name of the file in the configuration folder."""
COLUMNS = ("date", "from_currency", "to_currency", "rate", "source")
CURRENCY = re.compile("[A-Z]{3}")
RATE = re.compile(r"\d{1,9}(\.\d{1,10})?")
"""How large a rate can be for the arithmetic in whole numbers."""
NOT_A_RATE = (
    "{!r} is not a rate; write one above 0 like 1.0865, with ten decimals at most"
)
NOT_A_CURRENCY = "{!r} is not a currency; write its ISO 4217 code, such as 'USD'"
SHOWN = 10
"""How many replaced rates are listed one by one."""
_TYPES: dict[str, pa.DataType] = {
    **dict.fromkeys(COLUMNS, pa.string()),
    "date": pa.date32(),
    "rate": pa.decimal128(19, 10),
}
SCHEMA = pa.schema(_TYPES)
_COMMA_AT_END = re.compile(rb',[ \t"]*\r?(?:\n|$)')
_NOTHING = pa.schema(
    {**_TYPES, "cells": pa.list_(pa.string()), "fault": pa.string()}
).empty_table()
_SQL = Path(__file__).with_suffix(".sql").read_text("utf-8")
Day: TypeAlias = tuple[date, str, str]


class FxRate(NamedTuple):
    """The price of one unit of a currency in another on a day.

    A tuple, since the history of one bank has 250,000 of them.
    """

    date: date
    from_currency: str
    to_currency: str
    rate: Decimal
    """More than 0, below a billion, ten decimals at most."""
    source: str

    @property
    def key(self) -> Day:
        """The key: the table has one rate for it."""
        return self[:3]


@dataclass(frozen=True)
class Merged:
    """The result of putting rates into the table."""

    given: tuple[FxRate, ...]
    replaced: tuple[tuple[FxRate, FxRate], ...]
    """Pairs of rates of the same day: the old one, and the new one."""
    added: int

    def lines(self) -> Iterator[str]:
        """Yield a summary, and a sentence for each of the first replaced rates."""
        days = sorted({one.date for one in self.given})
        currencies = {one.to_currency for one in self.given}
        yield (
            f"rates of {len(currencies)} currencies for {len(days):,} days, "
            f"{days[0]} to {days[-1]}: {self.added:,} new, "
            f"{len(self.replaced):,} replaced, the others as they were"
        )
        for before, after in self.replaced[:SHOWN]:
            yield (
                f"replaced: {after.date} {after.from_currency} to {after.to_currency} "
                f"was {before.rate:f} ({before.source}), is {after.rate:f}"
            )
        if (more := len(self.replaced) - SHOWN) > 0:
            yield f"and {more:,} more"


def rates_of(given: Path | pa.Table) -> pa.Table:
    """Return rates as columns of `SCHEMA`: the given ones, or those of a file.

    Raises `ConfigError` with the line of an invalid rate, or of a second one of a day.
    """
    return _read(given).select(COLUMNS) if isinstance(given, Path) else given


def read_fx_rates(path: Path) -> tuple[FxRate, ...]:
    """Return the rates of a file as written; raises the errors of `rates_of`."""
    return tuple(
        FxRate(one["date"], base, quote, Decimal(rate), source)
        for one in _read(path).to_pylist()
        for _, base, quote, rate, source in [one["cells"]]
    )


def _read(path: Path) -> pa.Table:
    """Return the rows of a file: the columns of `SCHEMA`, and the cells as text."""
    if not path.exists():
        return _NOTHING
    number = read_header(read_lines(path), path, COLUMNS)
    # DuckDB accepts one empty cell too many, so a comma at an end is looked at here.
    if _COMMA_AT_END.search(path.read_bytes()) and any(
        len(cells) != len(COLUMNS) for _, cells in read_lines(path)
    ):
        raise _fault(path, {}, "its lines differ")
    with connect() as connection:
        try:
            lines = connection.read_csv(
                str(path),
                skiprows=number - 1,
                header=True,
                auto_detect=False,
                sep=",",
                quotechar='"',
                escapechar='"',
                columns=dict.fromkeys(COLUMNS, "varchar"),
            )
            connection.register("lines", lines)
            table: pa.Table = connection.sql(_SQL).to_arrow_table()
        except duckdb.Error as error:
            raise _fault(path, {}, str(error)) from None
    wrong = table.filter(table["fault"].is_valid()).to_pylist()
    if wrong:
        faults = {tuple(row["cells"]): row["fault"] for row in wrong}
        raise _fault(path, faults, "its lines differ")
    return table


def as_table(rates: Iterable[FxRate]) -> pa.Table:
    """Return rates as columns of `SCHEMA`."""
    rows = [one._asdict() for one in rates]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def read_amount(place: str, text: str) -> Decimal:
    """Return an exact rate above 0; raise `ConfigError` with the place."""
    if not RATE.fullmatch(text) or not Decimal(text):
        raise ConfigError(f"{place}: {NOT_A_RATE.format(text)}")
    return Decimal(text)


def merge_into(path: Path, given: Sequence[FxRate]) -> Merged:
    """Put rates into the table; they replace those of the same day and currencies.

    Raises `ConfigError` if the table cannot be read; then it is not changed.
    """
    stored = {one.key: one for one in read_fx_rates(path)}
    changes = [
        one
        for one in given
        if one.key not in stored or one.rate != stored[one.key].rate
    ]
    replaced = tuple((stored[one.key], one) for one in changes if one.key in stored)
    after = {**stored, **{one.key: one for one in changes}}
    if changes:
        _write(path, (after[key] for key in sorted(after)))
    return Merged(tuple(given), replaced, len(after) - len(stored))


def _fault(path: Path, faults: Mapping[tuple[str, ...], str], why: str) -> ConfigError:
    """Return the error of the first line with a fault, or without five cells.

    ``faults`` are sentences by the cells of a line; ``why`` is used if none is wrong.
    """
    first: dict[tuple[str, ...], int] = {}
    for number, cells in read_lines(path):
        place = f"{path} line {number}"
        if len(cells) != len(COLUMNS):
            return ConfigError(
                f"{place}: has {len(cells)} cells, not {len(COLUMNS)}; write "
                f"{','.join(COLUMNS)}, the rate with a point"
            )
        day, base, quote, rate, _ = cells
        known = first.setdefault((day, base, quote), number)
        fault = faults.get(tuple(cells))
        if fault and (fault != "twice" or known != number):
            sentence = {
                "date": f"{day!r} is not a date; write it like 2026-11-20",
                "from_currency": NOT_A_CURRENCY.format(base),
                "to_currency": NOT_A_CURRENCY.format(quote),
                "same": f"{base} to itself is always 1; delete the line, or name "
                "another currency",
                "rate": NOT_A_RATE.format(rate),
                "twice": f"{base} to {quote} of {day} stands in line {known} too; keep "
                "one of them",
            }[fault]
            return ConfigError(f"{place}: {sentence}")
    return ConfigError(
        f"{path} is not a CSV file ({why.splitlines()[0]}); save it as CSV in UTF-8"
    )


def _write(path: Path, rates: Iterable[FxRate]) -> None:
    """Write the table into a new file, and replace the old one by it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    incoming = path.with_name(f"{path.name}.incoming")
    with incoming.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for one in rates:
            table.writerow([*one.key, f"{one.rate:f}", one.source])
        file.flush()
        os.fsync(file.fileno())
    incoming.replace(path)
