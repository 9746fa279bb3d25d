"""What ``callhouse doctor`` found of each file: a line each, and what to do."""

from collections.abc import Sequence
from dataclasses import asdict

import typer

from pipelines.commands.doctor import Finding
from pipelines.warehouse.published_queries import Row


def as_json(found: Sequence[Finding]) -> list[Row]:
    """Return the findings for a machine."""
    return [asdict(one) for one in found]


def show_findings(found: Sequence[Finding]) -> None:
    """Print a line for each file, and below it what is wrong and what mends it."""
    for one in found:
        made = f", layout {one.layout}, {one.program}" if one.program else ""
        typer.echo(f"{one.state:<7} {one.file}{made}")
        if one.problem:
            typer.echo(f"        {one.problem}\n        remedy: {one.remedy}")
