"""Print ``callhouse rate``: a line for each month, account and currency, or JSON."""

from collections.abc import Sequence

from pipelines.cli.tables import plain_rows, show_rows, stderr
from pipelines.warehouse.published_queries import Row


def as_json(rows: Sequence[Row]) -> list[Row]:
    """Return the comparison as JSON values."""
    return plain_rows(rows)


def show_comparison(rows: Sequence[Row]) -> None:
    """Print the comparison on stdout, and how to read it on stderr."""
    show_rows([*rows])
    stderr().print(
        "Calls without a currency have no cost. Base costs are of whole months. "
        "Nothing was changed.",
        highlight=False,
    )
