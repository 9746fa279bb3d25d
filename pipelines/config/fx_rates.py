"""The exchange rates of ``fx_rates.csv``: a dated table that a hand may correct.

One row is what one unit of ``from_currency`` cost in ``to_currency`` on a day, and who
says so. What the models make of it is in ``dims/dim_fx_rates.sql``.
"""

import csv
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple, TypeAlias

from pipelines.config.toml_file import ConfigError

FX_RATES = "fx_rates.csv"
"""In the folder of the configuration."""
COLUMNS = ("date", "from_currency", "to_currency", "rate", "source")
CURRENCY = re.compile("[A-Z]{3}")
RATE = re.compile(r"\d{1,9}(\.\d{1,10})?")
"""What arithmetic in whole numbers has room for."""
SHOWN = 10
"""So many replaced rates are told one by one."""
Day: TypeAlias = tuple[date, str, str]


class FxRate(NamedTuple):
    """What one unit of a currency cost in another on a day.

    A tuple, for the history of one bank is a quarter of a million of them.
    """

    date: date
    from_currency: str
    to_currency: str
    rate: Decimal
    """More than 0, below a billion, ten decimals at most."""
    source: str

    @property
    def key(self) -> Day:
        """What there is one rate of."""
        return self[:3]


@dataclass(frozen=True)
class Merged:
    """What became of rates that were put into a table."""

    given: tuple[FxRate, ...]
    replaced: tuple[tuple[FxRate, FxRate], ...]
    """Of the same day: the one that stood there, and the one that stands there now."""
    added: int

    def told(self) -> Iterator[str]:
        """Yield a sentence of them all, and one of each of the first replaced."""
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


def read_fx_rates(path: Path) -> tuple[FxRate, ...]:
    """Read the table; without a file there are no rates.

    Raises `ConfigError` with the line for what is not a day's rate, or a second one.
    """
    if not path.exists():
        return ()
    lines = read_lines(path)
    number, header = next(lines, (1, []))
    if tuple(header) != COLUMNS:
        raise ConfigError(
            f"{path} line {number}: the columns must be {','.join(COLUMNS)}, not "
            f"{','.join(header)!r}; put them so, separated by commas"
        )
    found: list[FxRate] = []
    lines_of: dict[Day, int] = {}
    for number, cells in lines:
        rate = _rate(path, number, cells)
        if (first := lines_of.setdefault(rate.key, number)) != number:
            raise ConfigError(
                f"{path} line {number}: {rate.from_currency} to {rate.to_currency} of "
                f"{rate.date} stands in line {first} too; keep one of them"
            )
        found.append(rate)
    return tuple(found)


def rates_of(given: Path | tuple[FxRate, ...]) -> tuple[FxRate, ...]:
    """Return rates that are given, or those of a table; raises as `read_fx_rates`."""
    return read_fx_rates(given) if isinstance(given, Path) else given


def read_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells, without blanks around them, of each line with any."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, strict=True)
            for cells in lines:
                stripped = [cell.strip() for cell in cells]
                if any(stripped):
                    yield lines.line_num, stripped
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"{path} is not a CSV file ({error}); save it as CSV in UTF-8, unzipped"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def read_amount(place: str, text: str) -> Decimal:
    """Read a rate, more than 0 and exact; `ConfigError` names the place."""
    if not RATE.fullmatch(text) or not Decimal(text):
        raise ConfigError(
            f"{place}: {text!r} is not a rate; write one above 0 like 1.0865, with ten "
            "decimals at most"
        )
    return Decimal(text)


def merge_into(path: Path, given: Sequence[FxRate]) -> Merged:
    """Put rates into the table; of the same day and currencies the given one stays.

    Raises `ConfigError` for a table that cannot be read; it is as it was then.
    """
    known = {one.key: one for one in read_fx_rates(path)}
    news = [
        one for one in given if one.rate != getattr(known.get(one.key), "rate", None)
    ]
    replaced = tuple((known[one.key], one) for one in news if one.key in known)
    after = {**known, **{one.key: one for one in news}}
    if news:
        _write(path, (after[key] for key in sorted(after)))
    return Merged(tuple(given), replaced, len(after) - len(known))


def _rate(path: Path, number: int, cells: Sequence[str]) -> FxRate:
    if len(cells) != len(COLUMNS):
        raise ConfigError(
            f"{path} line {number}: has {len(cells)} cells, not {len(COLUMNS)}; write "
            f"{','.join(COLUMNS)}, the rate with a point"
        )
    written, base, quote, rate, source = cells
    try:
        day = date.fromisoformat(written)
    except ValueError:
        raise ConfigError(
            f"{path} line {number}: {written!r} is not a date; write it like 2026-11-20"
        ) from None
    for currency in (base, quote):
        if not CURRENCY.fullmatch(currency):
            raise ConfigError(
                f"{path} line {number}: {currency!r} is not a currency; write its ISO "
                "4217 code, such as 'USD'"
            )
    if base == quote:
        raise ConfigError(
            f"{path} line {number}: {base} to itself is always 1; delete the line, or "
            "name another currency"
        )
    amount = read_amount(f"{path} line {number}", rate)
    return FxRate(day, base, quote, amount, source)


def _write(path: Path, rates: Iterable[FxRate]) -> None:
    """Write the whole table beside the old one and put it in its place."""
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
