"""Read the CSV files with the reference rates of the European Central Bank.

``eurofxref-hist.csv`` has a row per day, the newest first, with dates like 2026-11-20.
``eurofxref.csv`` has only the last day, with a date like 20 November 2026 and a blank
after each comma. Both have the price of one euro, or ``N/A``, and end each line with a
comma.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from pipelines.config.csv_file import read_lines
from pipelines.config.fx_rates import CURRENCY, FxRate, read_amount
from pipelines.config.toml_file import ConfigError

SOURCE = "ECB"
EURO = "EUR"
ABSENT = "N/A"
MONTHS = [
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
]


def read_ecb(path: Path, since: date | None = None) -> tuple[FxRate, ...]:
    """Return the rates of a file of the bank, from ``since`` on.

    Raises `ConfigError` with the line that does not have the bank's format.
    """
    lines = read_lines(path)
    number, header = next(lines, (1, []))
    currencies = header[1:-1] if header and not header[-1] else header[1:]
    if not currencies or header[0] != "Date":
        raise ConfigError(
            f"{path} line {number}: begins with {','.join(header)[:40]!r}, not with "
            "'Date,USD,'; give eurofxref-hist.csv or eurofxref.csv of the European "
            "Central Bank"
        )
    for one in currencies:
        if not CURRENCY.fullmatch(one) or currencies.count(one) > 1 or one == EURO:
            raise ConfigError(
                f"{path} line {number}: {one!r} is not a currency or stands twice; get "
                "the file again"
            )
    found: list[FxRate] = []
    days: dict[date, int] = {}
    for number, cells in lines:
        place = f"{path} line {number}"
        day = _date(place, cells[0])
        if days.setdefault(day, number) != number:
            raise ConfigError(
                f"{place}: {day} stands in line {days[day]} too; get the file again"
            )
        if len(cells) != len(header):
            raise ConfigError(
                f"{place}: has {len(cells)} cells under {len(header)} columns; get the "
                "file again, it may be cut"
            )
        if since is None or day >= since:
            found.extend(_rates(place, day, currencies, cells[1:]))
    if not found:
        after = f" from {since} on" if since else ""
        raise ConfigError(f"{path} has no rate{after}; get the file again")
    return tuple(found)


def _rates(
    place: str, day: date, currencies: Sequence[str], cells: Sequence[str]
) -> Iterator[FxRate]:
    for currency, text in zip(currencies, cells, strict=False):
        if text != ABSENT:
            rate = read_amount(f"{place}, {currency}", text)
            yield FxRate(day, EURO, currency, rate, SOURCE)


def _date(place: str, text: str) -> date:
    try:
        number, _, rest = text.partition(" ")
        month, _, year = rest.partition(" ")
        if month in MONTHS:
            return date(int(year), MONTHS.index(month) + 1, int(number))
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{place}: {text!r} is not a date; get the file again"
        ) from None
