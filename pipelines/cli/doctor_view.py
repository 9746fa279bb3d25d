"""Print ``callhouse doctor``: per file what is wrong and what to do; or JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TypeAlias

import typer

from pipelines.commands.doctor import Finding
from pipelines.commands.invariants import Invariant
from pipelines.warehouse.published_queries import Row

Found: TypeAlias = tuple[Sequence[Finding], Sequence[Finding], Sequence[Invariant]]
"""Of the surroundings, of the files, and the invariants."""


def as_json(found: Found) -> Row:
    """Return the findings as JSON values."""
    around, files, invariants = found
    return {
        "surroundings": [*map(asdict, around)],
        "files": [*map(asdict, files)],
        "invariants": [*map(asdict, invariants)],
    }


def show_findings(found: Found) -> None:
    """Print a line for each thing that was checked; below it what is wrong."""
    around, files, invariants = found
    for one in (*around, *files):
        made = f", layout {one.layout}, {one.program}" if one.program else ""
        typer.echo(f"{one.state:<7} {one.file}{made}")
        if one.problem:
            typer.echo(f"        {one.problem}\n        remedy: {one.remedy}")
    for invariant in invariants:
        typer.echo(f"{invariant.state:<9} {invariant.name:<4}{invariant.promise}")
        for place in invariant.where:
            typer.echo(f"          {place}")
