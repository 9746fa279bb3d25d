"""The ``callhouse quarantine`` commands: count, print or retry unreadable records."""

import os
from typing import Annotated

import typer

from pipelines.cli.command_steps import answer, tell_unfinished
from pipelines.cli.endings import refusals
from pipelines.cli.parameters import CONFIG, AccountNames, AsJson, Folder, VendorNames

quarantine = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Count, print or retry the records that could not be read.",
)


@quarantine.command("list")
def list_quarantine(
    vendor: VendorNames = None,
    account: AccountNames = None,
    *,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Count the records by vendor and reason.

    No record is printed. A record is open if the last complete read of its window still
    had it.
    """
    from pipelines.cli.quarantine_view import show_counts
    from pipelines.cli.tables import plain_rows
    from pipelines.commands.quarantine import by_reason, unreadable
    from pipelines.config.loader import read_config

    with refusals():
        warehouse = read_config(config).warehouse
        tell_unfinished(warehouse)
        found = unreadable(warehouse, vendor, account)
    answer(by_reason(found), plain_rows, show_counts, json=json)


@quarantine.command("show")
def show_quarantine(
    number: Annotated[
        list[int] | None,
        typer.Argument(help="Only the records with these numbers; default: all."),
    ] = None,
    vendor: VendorNames = None,
    account: AccountNames = None,
    *,
    config: Folder = CONFIG,
) -> None:
    """Print the records; they may be personal.

    They are printed as their vendor sent them. The records that --vendor and --account
    select are numbered from 1, the oldest first.
    """
    from pipelines.cli.quarantine_view import show_records
    from pipelines.commands.quarantine import shown, unreadable
    from pipelines.config.loader import read_config

    with refusals():
        warehouse = read_config(config).warehouse
        tell_unfinished(warehouse)
        found = unreadable(warehouse, vendor, account)
        lines = list(shown(found, number or ()))
    show_records(lines)


@quarantine.command("retry")
def retry_quarantine(
    vendor: VendorNames = None,
    account: AccountNames = None,
    *,
    config: Folder = CONFIG,
) -> None:
    """Read the records again, after an upgrade.

    Records that can be read now are stored. It asks no vendor. A record keeps the time
    at which it came, so a newer version of it stays the newest. Exit code 1: an open
    record still cannot be read.
    """
    from pipelines.cli.quarantine_view import show_retried
    from pipelines.commands.quarantine import retry
    from pipelines.config.loader import read_config

    os.umask(0o077)  # raw files have phone numbers in them
    with refusals():
        settings = read_config(config)
        tell_unfinished(settings.warehouse)
        done = retry(settings, vendor, account)
    show_retried(done)
    is_open = any(record.is_open for one in done for record in one.left)
    raise typer.Exit(1 if is_open else 0)
