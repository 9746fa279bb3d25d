"""The ``callhouse warehouse`` commands: what concerns where the tables are."""

from typing import Annotated, Literal

import typer

from pipelines.cli.command_steps import answer
from pipelines.cli.endings import refusals
from pipelines.cli.parameters import CONFIG, AsJson, Folder, Now, utc

warehouse = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Move the warehouse between files and a lake.",
)


@warehouse.callback()
def keep_the_name() -> None:
    """Move the warehouse between files and a lake."""


@warehouse.command()
def copy(
    to: Annotated[
        Literal["lake", "file"], typer.Option(help="Where to copy it: lake or file.")
    ],
    now: Now = None,
    *,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Also where the copy would lose newer loads."),
    ] = False,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Copy all records, ledgers and tables into a lake, or back into files.

    No vendor is asked for anything. What is there is replaced, each part wholly or not
    at all, and proved equal row for row; the same command goes on after a kill. Nobody
    can load or build meanwhile. Then set [warehouse] kind, and delete the other one
    once you trust it.
    """
    from dataclasses import asdict

    from pipelines.cli.tables import plain_rows, show_rows
    from pipelines.commands.copy_warehouse import copy_warehouse
    from pipelines.config.loader import read_config

    with refusals():
        settings = read_config(config)
        done = copy_warehouse(settings, utc(now), to, replace_newer=replace)
    answer([asdict(one) for one in done], plain_rows, show_rows, json=json)
    typer.echo(f'equal row for row; use it with: [warehouse] kind = "{to}"', err=True)
