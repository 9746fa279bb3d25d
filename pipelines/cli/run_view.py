"""Print the result of a run: a summary, or JSON.

The summary goes to stderr; ``--json`` puts the same facts on stdout.
"""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer
from humanize import naturaldelta
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.cli.findings_view import show_field_changes, show_missing_rates
from pipelines.cli.tables import compact_table, plain_rows, show_rows, stderr
from pipelines.commands.run import RunResult
from pipelines.warehouse.journal import LoadResult
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.published_queries import Row, rows_of
from transforms.runner.build import BuildResult, FinalCostChange
from transforms.runner.storage import Place

FIRST_QUERY = (
    "select vendor, currency, count(*) as calls, sum(cost_total) as cost, "
    "min(call_date) as since from fact_calls where not is_deleted "
    "group by all order by all"
)


def as_json(result: RunResult) -> Row:
    """Return the result of a run as JSON values."""
    published = result.published
    return {
        "complete": result.is_complete,
        "kept": dict(result.kept),
        "final_cost_changes": plain_rows(map(asdict, result.final_cost_changes)),
        "loaded": [
            {name: getattr(outcome, name) for name in LoadResult.__struct_fields__}
            for outcome in result.outcomes
        ],
        "warehouse": str(published) if published else None,
        "vendors": plain_rows(
            rows_of(published, "calls_by_vendor") if published else ()
        ),
        "missing_rates": plain_rows(
            rows_of(published, "missing_rates") if published else ()
        ),
        "field_changes": plain_rows(
            rows_of(published, "field_changes") if published else ()
        ),
    }


def show(
    result: RunResult,
    title: str = "This run",
    *,
    seconds: float,
    verbose: bool = False,
    quiet: bool = False,
) -> None:
    """Print the summary of a run on stderr: what is wrong first, the totals last.

    ``seconds`` is how long it took. With ``verbose`` all counts are printed, with
    ``quiet`` only what is wrong.
    """
    console = stderr()
    _show_problems(console, result)
    if quiet:
        return
    # What is known without the file is printed even if it cannot be opened.
    vendors: list[Row] = []
    try:
        if result.published is not None:
            vendors = rows_of(result.published, "calls_by_vendor")
    finally:
        console.print(_summary(result.outcomes, vendors, title))
    if verbose:
        console.print(_counts(result.outcomes))
    for outcome in result.outcomes:
        _show_sentences(console, outcome.vendor, outcome.notes, "bold")
    for change in result.final_cost_changes:
        console.print(_changed(change), highlight=False, markup=False)
    if result.published is not None:
        if verbose:
            console.print(_holdings(vendors))
        _show_published(console, result.published)
    console.print(f"It took {naturaldelta(seconds)}.", highlight=False)


def _show_problems(console: Console, result: RunResult) -> None:
    for outcome in result.outcomes:
        _show_sentences(console, outcome.vendor, outcome.problems, "bold red")
    for vendor, why in result.kept.items():
        _show_sentences(console, vendor, [why], "bold red")


def _show_sentences(
    console: Console, vendor: str, sentences: Sequence[str], style: str
) -> None:
    """Print sentences about a vendor, which is named once."""
    for number, sentence in enumerate(sentences):
        name = " " * len(vendor) if number else f"[{style}]{vendor}[/]"
        text = escape(sentence.removeprefix(f"{vendor} "))
        # In a log a sentence is a line, however long.
        is_log = not console.is_terminal
        console.print(f"{name} {text}", highlight=False, soft_wrap=is_log)


def _show_published(console: Console, published: Place) -> None:
    _show_unmapped(console, rows_of(published, "unmapped_values"))
    changes = rows_of(published, "field_changes")
    show_field_changes(console, [row for row in changes if row["is_new"]])
    show_missing_rates(console, rows_of(published, "missing_rates"))
    (total,) = rows_of(published, "totals")
    since = f" since {total['first_date']}" if total["first_date"] else ""
    costs = f", {total['costs']}" if total["costs"] else ""
    console.print(
        f"\n[bold]{total['calls']:,} calls{since}{costs}[/] are in {published}.",
        highlight=False,
    )
    folder = published.parent if isinstance(published, Path) else None
    if folder and (report := Warehouse(folder).report).exists():
        console.print(f"Charts of them: {report}", highlight=False, markup=False)
    console.print("A first query:")
    command = sys.argv[0] if "/" in sys.argv[0] else "callhouse"
    console.print(f'  {command} query "{FIRST_QUERY}"', highlight=False, soft_wrap=True)


def built_as_json(built: tuple[BuildResult, Place], *, profile: bool = False) -> Row:
    """Return the result of a build and the published path as JSON values.

    ``profile`` adds what each step cost.
    """
    result, published = built
    found: Row = {
        "full": result.is_full,
        "reason": result.reason,
        "kept": dict(result.kept),
        "final_cost_changes": plain_rows(map(asdict, result.final_cost_changes)),
        "touched": dict(result.rebuilt),
        "rows": dict(result.rows),
        "warehouse": str(published),
    }
    return found | {"steps": _steps(result)} if profile else found


def show_built(built: tuple[BuildResult, Place], *, profile: bool = False) -> None:
    """Print a line on the build, and on stderr each vendor that was not built.

    ``profile`` adds a table of what each step cost.
    """
    result, published = built
    rebuilt = ", ".join(f"{name} {count}" for name, count in result.rebuilt.items())
    how = f"full: {result.reason}" if result.is_full else "what changed"
    typer.echo(f"built ({how}): {rebuilt or 'nothing new'}; published {published}")
    for sentence in result.kept.values():
        typer.echo(f"callhouse: {sentence}", err=True)
    for change in result.final_cost_changes:
        typer.echo(f"callhouse: {_changed(change)}", err=True)
    if profile:
        show_rows(_steps(result))


def _steps(result: BuildResult) -> list[Row]:
    """Return what each step of a build cost, the dearest first."""
    by_cost = sorted(result.costs, key=lambda one: one.cpu_seconds, reverse=True)
    return [
        {
            "step": one.name,
            "seconds": round(one.seconds, 3),
            "cpu_seconds": round(one.cpu_seconds, 3),
            "rows": one.rows,
        }
        for one in by_cost
    ]


def _changed(change: FinalCostChange) -> str:
    """Say which final costs are others now."""
    before, after = (
        "no cost" if cost is None else f"{cost.normalize():f} {currency}"
        for cost, currency in (
            (change.old_cost, change.old_currency),
            (change.new_cost, change.new_currency),
        )
    )
    calls = f"{change.calls:,} call" + ("" if change.calls == 1 else "s")
    return (
        f"{change.vendor}: the final cost of {calls} of the account {change.account} "
        f"changed from {before} to {after}"
    )


def _summary(
    outcomes: Sequence[LoadResult], vendors: Sequence[Row], title: str
) -> Table:
    """Return a row per vendor that fits a terminal of 80 columns."""
    right = ("new", "changed", "calls")
    table = compact_table(
        title, "vendor", "state", *right, "cost", "windows", right=right
    )
    known = {row["vendor"]: row for row in vendors}
    for one in outcomes:
        state = "[green]complete[/]" if one.is_complete else "[bold red]incomplete[/]"
        row = known.get(one.vendor, {})
        table.add_row(
            one.vendor,
            state,
            f"{one.new:,}",
            f"{one.changed - one.new:,}",
            f"{row['calls']:,}" if row else "",
            escape(row["costs"] or "not priced") if row else "",
            _sentence(one, row),
        )
    return table


def _sentence(one: LoadResult, row: Row) -> str:
    """Return in some words what a run did for a vendor."""
    is_whole = one.windows == one.planned
    parts = [
        f"all {one.planned:,}" if is_whole else f"{one.windows:,} of {one.planned:,}"
    ]
    counts = {
        "costs to come": row.get("cost_pending", 0),
        "deleted": one.deleted,
        "listed again": one.restored,
        "in quarantine": one.quarantined,
    }
    parts += [f"{count:,} {words}" for words, count in counts.items() if count]
    return "; ".join(parts)


def _counts(outcomes: Sequence[LoadResult]) -> Table:
    counts = (
        *("windows", "records", "changed", "quarantined", "requests", "retries"),
        *("now final", "deleted", "restored", "seconds"),
    )
    table = compact_table("What was read", "vendor", *counts, right=counts)
    for one in outcomes:
        table.add_row(
            one.vendor,
            f"{one.windows}/{one.planned}",
            *(f"{n:,}" for n in (one.records, one.changed, one.quarantined)),
            *(f"{n:,}" for n in (one.requests, one.retries)),
            f"{one.settled:,}/{one.pending:,}",
            *(f"{n:,}" for n in (one.deleted, one.restored)),
            f"{one.seconds:.1f}",
        )
    return table


def _holdings(rows: list[Row]) -> Table:
    days = rows[0]["compared_days"] if rows else 0
    of = "compared_" if days else ""
    table = _table(f"In the warehouse{_compared(rows[0]) if days else ''}", "vendor")
    for name in ("all calls", "since", "calls", "minutes"):
        table.add_column(name, justify="right")
    table.add_column("cost")
    for name in ("cost pending", "rows reconciled", "unknown", "quarantined"):
        table.add_column(name, justify="right")
    for row in rows:
        odd, minutes = row["windows_mismatched"], row[f"{of}minutes"]
        table.add_row(
            row["vendor"],
            f"{row['calls']:,}",
            str(row["first_date"] or ""),
            f"{row[f'{of}calls']:,}",
            "" if minutes is None else f"{minutes:,}",
            escape(row[f"{of}costs"] or ("" if row["costs"] else "not priced")),
            f"{row[f'{of}cost_pending']:,}",
            f"{row['rows_reconciled'] or 0:,}" + (f" ({odd} off)" if odd else ""),
            f"{row['unknown_values']:,}",
            f"{row['quarantined']:,}",
        )
    return table


def _compared(row: Row) -> str:
    """Return which dates the vendors are compared on, to stand behind the title."""
    days = row["compared_days"]
    if days == 1:
        return f"; calls to cost pending of {row['compared_from']}, complete for all"
    span = f"{row['compared_from']} to {row['compared_to']}"
    return f"; calls to cost pending of the {days} days, {span}, complete for all"


def _show_unmapped(console: Console, rows: list[Row]) -> None:
    if rows:
        words = ", ".join(
            f"{row['vendor']} {row['field']}={row['value']!r} ({row['calls']})"
            for row in rows
        )
        console.print(
            f"Values without a mapping: {words}", highlight=False, markup=False
        )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column)
    return table
