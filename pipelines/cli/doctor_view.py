"""Print ``callhouse doctor``: per file what is wrong and what to do; or JSON."""

from collections.abc import Sequence
from dataclasses import asdict

import typer

from pipelines.commands.doctor import Finding
from pipelines.warehouse.published_queries import Row


def as_json(found: Sequence[Finding]) -> list[Row]:
    """Return the findings as JSON values."""
    return [asdict(one) for one in found]


def show_findings(found: Sequence[Finding]) -> None:
    """Print a line for each file; below it what is wrong, and the remedy."""
    for one in found:
        made = f", layout {one.layout}, {one.program}" if one.program else ""
        typer.echo(f"{one.state:<7} {one.file}{made}")
        if one.problem:
            typer.echo(f"        {one.problem}\n        remedy: {one.remedy}")
