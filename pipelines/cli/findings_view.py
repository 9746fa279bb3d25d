"""Print what a build found out about the vendors' records, in a summary or a status."""

from collections.abc import Sequence

from rich.console import Console

from pipelines.warehouse.published_queries import Row


def show_field_changes(console: Console, rows: Sequence[Row]) -> None:
    """Print which fields of a vendor's records are new, gone or of another type."""
    for row in rows:
        example = f"{row['now']}, {row['example']}" if row["example"] else row["now"]
        what = {
            "new": f"is in no document of the vendor ({example})",
            "gone": f"had {row['before']}, and no record of the last 7 days has it",
            "type": f"was {row['before']}, is {row['now']}",
        }[row["change"]]
        console.print(
            f"{row['vendor']} {row['record']}.{row['path']} {what}; "
            f"noticed {row['noticed_on']}, in ops.field_changes",
            highlight=False,
            markup=False,
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
