"""Print ``callhouse bill``: a month of each account and currency, or JSON."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import date
from decimal import Decimal

from rich.table import Table
from rich.text import Text

from pipelines.cli.tables import compact_table, plain, plain_rows, stdout
from pipelines.commands.bill import Bill
from pipelines.extract.errors import escaped
from pipelines.warehouse.published_queries import Row

AMOUNTS = {
    "cost_final": "final cost of calls",
    "cost_not_final": "cost so far of calls that are not final",
    "cost_deleted": "cost of deleted calls",
    "base_cost": "base costs",
    "expected": "expected",
    "invoiced": "invoiced",
    "difference": "invoiced less expected",
}
COUNTS = {
    "calls": "calls",
    "pending_calls": "of them without a final cost",
    "calls_without_cost": "of them without a cost that is due",
    "incomplete_days": "days that are not complete",
}


def as_json(bill: Bill) -> Row:
    """Return the month as JSON values."""
    return {
        "vendor": bill.vendor,
        "month": f"{bill.month:%Y-%m}",
        **{
            name: plain_rows(rows)
            for name, rows in asdict(bill).items()
            if name not in {"vendor", "month"}
        },
    }


def show_bill(bill: Bill) -> None:
    """Print each account and currency, and what its expected cost is made of."""
    console = stdout()
    for month in bill.months:
        title = [bill.vendor, month["account"], f"{bill.month:%Y-%m}"]
        title.append(month["currency"] or "no currency")
        console.print(_text(" ".join(title), "bold"))
        console.print(_sums(month))
        for table in _tables(bill, month):
            console.print(table)
            console.print()


def _sums(month: Row) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(justify="right")
    for name, words in AMOUNTS.items():
        grid.add_row(words, _text(month[name], none="not known"))
    for name, words in COUNTS.items():
        grid.add_row(words, _text(month[name]))
    if month["notes"]:
        grid.add_row("notes", _text(month["notes"]))
    return grid


def _tables(bill: Bill, month: Row) -> Iterator[Table]:
    own = ("account", "currency")
    parts, payers = (
        [row for row in rows if all(row[name] == month[name] for name in own)]
        for rows in (bill.parts, bill.payers)
    )
    if parts:
        yield _table("What is expected", parts, own)
    if any(row["payer_kind"] for row in payers):
        yield _table("Who pays for calls, the ten largest", payers, own)
    if days := [row for row in bill.days if row["account"] == month["account"]]:
        yield _table("Days that are not complete", days, own)


def _table(title: str, rows: list[Row], without: Iterable[str]) -> Table:
    names = [name for name in rows[0] if name not in without]
    table = compact_table(title, *names, right=("calls", "amount", "days"))
    for row in rows:
        table.add_row(*(_text(row[name]) for name in names))
    return table


def _text(value: object, style: str = "", none: str = "") -> Text:
    """Return a value in words, an amount without the trailing zeros of its type."""
    if isinstance(value, Decimal):
        return Text(f"{value.normalize():f}", style)
    if isinstance(value, date):
        return Text(str(plain(value)), style)
    return Text(none if value is None else escaped(str(value)), style)
