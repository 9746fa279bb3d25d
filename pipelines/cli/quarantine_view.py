"""Print what is in quarantine, and the result of a retry."""

from collections.abc import Sequence

import typer

from pipelines.cli.tables import show_rows
from pipelines.commands.quarantine import Retried, left_by_reason
from pipelines.warehouse.published_queries import Row


def show_counts(rows: list[Row]) -> None:
    """Print how many records there are, by vendor, account and reason."""
    if rows:
        show_rows(rows)
    else:
        typer.echo("Nothing is in quarantine.", err=True)


def show_records(lines: Sequence[str]) -> None:
    """Print records as they came, after a warning."""
    typer.echo(
        "These are records as they came: they may hold phone numbers and names."
        if lines
        else "Nothing is in quarantine.",
        err=True,
    )
    for line in lines:
        typer.echo(line)


def show_retried(done: Sequence[Retried]) -> None:
    """Print how many records were stored, and why the others were not."""
    for one in done:
        if one.stored:
            typer.echo(f"{one.vendor}: {one.stored:,} can be read now and are stored")
        for reason, count in sorted(left_by_reason(one.left).items()):
            typer.echo(f"{one.vendor}: {count:,} still cannot be read: {reason}")
    if any(one.stored for one in done):
        typer.echo("callhouse transform puts what is stored into the tables.", err=True)
