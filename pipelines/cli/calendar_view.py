"""A calendar of one sign per day, which shows at once where a day is missing."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby

from rich.text import Text

from pipelines.warehouse.published_queries import Row

MARKS = {
    "complete": ("█", "green"),
    "empty": ("▁", "green"),
    "partial": ("▄", "yellow"),
    "missing": ("!", "bold red"),
    "unreachable": ("x", "magenta"),
    "in_future": ("·", "dim"),
}
"""A day's sign and colour; empty is a complete day without records."""
PLAIN = str.maketrans("█▁▄·", "#_+.")
"""The signs in ASCII, for an output that has no others."""


def calendar_lines(
    accounts: Mapping[str, Sequence[Row]],
    last: date,
    width: int,
    *,
    is_plain: bool = False,
) -> Iterator[Text]:
    """Yield an axis of days, a line per account and the legend.

    An account has rows of day, state and records. If they do not fit into ``width``
    columns, the oldest days are left out. ``is_plain``: use ASCII signs.
    """
    signs = PLAIN if is_plain else {}
    label = max(map(len, accounts), default=0) + 2
    known = [row["day"] for days in accounts.values() for row in days]
    first = min(known, default=last)
    count = max(1, min((last - first).days + 1, width - label))
    shown = [last - timedelta(days=back) for back in reversed(range(count))]
    yield Text(" " * label + _axis(shown), "bold")
    for name, days in accounts.items():
        line = Text(name.ljust(label))
        marks = {row["day"]: MARKS[_mark(row)] for row in days}
        drawn = (marks.get(day, (" ", "")) for day in shown)
        for (sign, style), run in groupby(drawn):
            line.append(sign.translate(signs) * len(list(run)), style)
        yield line
    legend = Text(" " * label)
    for state, (sign, style) in MARKS.items():
        legend.append(sign.translate(signs), style).append(
            f" {state.replace('in_future', 'to come')}   "
        )
    yield legend


def _axis(days: Sequence[date]) -> str:
    """Return an axis with the names of months, and 11 and 21 if there is room."""
    axis = ""
    for at, day in enumerate(days):
        if day.day == 1 or at == 0:
            name = f"{day:%b}" if day.day == 1 else f"{day:%b} {day.day}"
        elif day.day in {11, 21}:
            name = str(day.day)
        else:
            continue
        if len(axis) < at or not axis:
            axis = axis.ljust(at) + name
    return axis


def _mark(row: Row) -> str:
    is_empty = row["state"] == "complete" and row["records"] == 0
    return "empty" if is_empty else str(row["state"])
