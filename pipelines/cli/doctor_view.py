"""Print ``callhouse doctor``: per file what is wrong and what to do; or JSON."""

from collections.abc import Sequence
from dataclasses import asdict

import typer

from pipelines.commands.doctor import Finding
from pipelines.commands.invariants import Invariant
from pipelines.warehouse.published_queries import Row


def as_json(found: tuple[Sequence[Finding], Sequence[Invariant]]) -> Row:
    """Return the findings as JSON values."""
    files, invariants = found
    return {"files": [*map(asdict, files)], "invariants": [*map(asdict, invariants)]}


def show_findings(found: tuple[Sequence[Finding], Sequence[Invariant]]) -> None:
    """Print a line for each file and each invariant; below it what is wrong."""
    files, invariants = found
    for one in files:
        made = f", layout {one.layout}, {one.program}" if one.program else ""
        typer.echo(f"{one.state:<7} {one.file}{made}")
        if one.problem:
            typer.echo(f"        {one.problem}\n        remedy: {one.remedy}")
    for invariant in invariants:
        typer.echo(f"{invariant.state:<9} {invariant.name:<4}{invariant.promise}")
        for place in invariant.where:
            typer.echo(f"          {place}")
