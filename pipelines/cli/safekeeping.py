"""The commands that keep a warehouse safe: back up, restore, roll back."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.command_steps import answer
from pipelines.cli.endings import refusals
from pipelines.cli.parameters import CONFIG, AsJson, Folder, Now, utc

NOT_IN_IT = (
    "config.toml, secrets.toml, rate_cards.toml, fx_rates.csv, cost_centers.csv and "
    "invoices.csv"
)


def backup(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="The folder of backups; it may be absent."),
    ],
    now: Now = None,
    *,
    config: Folder = CONFIG,
) -> None:
    """Copy the warehouse into a new folder DIR/TIME.

    It can be made at any time, also during a run. It has the raw files, the published
    file and the journal, but no configuration: keep that yourself.
    """
    from pipelines.commands.backup import back_up
    from pipelines.config.loader import read_config

    with refusals():
        place, manifest = back_up(read_config(config), utc(now), folder.absolute())
    size = sum(one.size for one in manifest.files)
    loads = ", ".join(f"{name} {count:,}" for name, count in manifest.loads.items())
    typer.echo(f"wrote {place}: {len(manifest.files)} files, {size:,} bytes")
    typer.echo(f"loads: {loads or 'none'}")
    typer.echo(f"not in it: {NOT_IN_IT} of {config}; keep them elsewhere")


def restore(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="A backup, or a folder of backups: then its newest."
        ),
    ],
    now: Now = None,
    *,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Move a warehouse that is there aside, first."),
    ] = False,
    config: Folder = CONFIG,
) -> None:
    """Put a backup in the place of the warehouse.

    Every file of the backup is checked first. What was loaded since the backup is
    loaded again by the next run.
    """
    from pipelines.commands.restore import restore as restored
    from pipelines.config.loader import read_config

    with refusals():
        settings = read_config(config)
        done = restored(settings, utc(now), folder.absolute(), replace=replace)
    made = f"{done.manifest.made_at:%Y-%m-%d %H:%M:%S}Z"
    root = settings.warehouse.root.absolute()
    if done.is_new:
        typer.echo(f"restored {done.backup}, of {made}, as {root}")
    else:
        typer.echo(f"{root} is as in {done.backup}, of {made}, already")
    if done.aside:
        typer.echo(f"the warehouse that was there is now {done.aside}")
    elif done.is_new:
        typer.echo(f"erasures made after {made} are not in it: repeat them")
    if done.has_erasures:
        typer.echo("until the next run or transform it may have who was erased since")
    typer.echo("next: callhouse run, which loads what is missing since then")


def rollback(
    snapshot: Annotated[
        str | None, typer.Argument(help="Its name; default: the newest.")
    ] = None,
    now: Now = None,
    *,
    show_list: Annotated[
        bool,
        typer.Option("--list", help="Only list the snapshots, with time and calls."),
    ] = False,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Publish a snapshot, a file that was published before.

    The file that it replaces is kept as a snapshot. No raw file is changed: the next
    run or transform publishes newer tables again. --json is for --list.
    """
    from dataclasses import asdict

    from pipelines.cli.tables import plain_rows, show_rows
    from pipelines.commands.rollback import list_snapshots, roll_back
    from pipelines.config.loader import read_config

    with refusals():
        settings = read_config(config)
        if show_list:
            rows = [asdict(one) for one in list_snapshots(settings.warehouse)]
            answer(rows, plain_rows, show_rows, json=json)
            return
        done = roll_back(settings, utc(now), snapshot)
    typer.echo(f"published {done.published}")
    if done.kept:
        typer.echo(f"to undo it: callhouse rollback {done.kept}")
    typer.echo("the next run or transform publishes newer tables again")
