"""``callhouse query`` and ``callhouse shell``: questions to the published tables."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.command_steps import built_warehouse, tell_plain
from pipelines.cli.endings import WRONG_QUERY, refusals, say
from pipelines.cli.parameters import CONFIG, AsJson, Folder

SHELLS = {
    "duckdb": ("-readonly", "-cmd", "set TimeZone = 'UTC'"),
    "harlequin": ("--read-only",),
}
"""Programs for questions, and their options in front of the file."""


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over the published tables.")],
    *,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Over the private raw files, as raw.zoom__calls."),
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Print all rows, not only the first 200.")
    ] = False,
    csv: Annotated[
        bool,
        typer.Option("--csv", help='Print CSV: NULL is nothing, an empty text "".'),
    ] = False,
    json: AsJson = False,
    parquet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a Parquet file.")
    ] = None,
    config: Folder = CONFIG,
) -> None:
    """Run a SELECT over the published tables.

    It works during a run as well. Any other DuckDB client can read the published file
    as well. With --raw the tables are those of the raw files, raw.VENDOR__TABLE, with
    each version of each record as it came, phone numbers and names included; a load of
    the vendor waits meanwhile. In CSV a text that a spreadsheet would run as a formula
    has a ' in front. Exit code 4: the query is wrong.
    """
    from pipelines.cli.query_view import FORMS, show
    from pipelines.commands.query import answer_of, answer_of_raw, write_parquet
    from pipelines.config.loader import read_config
    from pipelines.config.toml_file import ConfigError

    with refusals(), _wrong_queries():
        if csv + json + (parquet is not None) > 1:
            raise ConfigError("give one of --csv, --json and --parquet")
        warehouse = built_warehouse(config)
        if raw:
            tell_plain(read_config(config), "the records are from the")
        with (answer_of_raw if raw else answer_of)(warehouse, sql) as answer:
            if parquet is not None:
                count = write_parquet(answer, parquet)
                typer.echo(f"wrote {count:,} rows into {parquet}", err=True)
            elif form := ("csv" if csv else "json" if json else None):
                FORMS[form](answer)
            else:
                show(answer, every=every)


def shell(*, config: Folder = CONFIG) -> None:
    """Open the published file read-only in DuckDB's shell, or in Harlequin.

    It takes the first of the two that is installed. While it is open, a run can
    publish; what it shows is the file as it was when it was opened.
    """
    from pipelines.config.lake import refuse_on_lake
    from pipelines.config.toml_file import ConfigError

    with refusals():
        warehouse = built_warehouse(config)
        instead = "use callhouse query, or attach the lake in DuckDB"
        refuse_on_lake(warehouse, "callhouse shell", instead)
        published = warehouse.published.resolve()
        for program, options in SHELLS.items():
            if found := shutil.which(program):
                os.execv(found, [program, *options, str(published)])  # noqa: S606
        raise ConfigError(
            "neither duckdb nor harlequin is installed; install DuckDB's command-line "
            'client, or: pip install harlequin; or use: callhouse query "SELECT ..."'
        )


@contextmanager
def _wrong_queries() -> Iterator[None]:
    from pipelines.commands.query import QueryError

    try:
        yield
    except QueryError as error:
        say(error)
        raise typer.Exit(WRONG_QUERY) from None
