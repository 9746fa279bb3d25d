"""The commands of a warehouse that nobody watches: status, notify."""

from datetime import timedelta
from functools import partial
from typing import Annotated

import typer

from pipelines.cli.command_steps import answer, built_warehouse
from pipelines.cli.endings import refusals, say
from pipelines.cli.parameters import CONFIG, AsJson, Folder, MaxAge, Now, utc


def status(
    now: Now = None,
    max_age: MaxAge = None,
    *,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Show calendar, accounts and streams."),
    ] = False,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Show whether everything that is due is in.

    The first line is the verdict. With -v also which days of each account are stored,
    which windows are incomplete and how many calls are still pending. It reads the
    published file: what was loaded since the last build is not in it. Exit code 1:
    something is missing, incomplete, stale, or the last build failed.
    """
    from pipelines.cli.status_view import as_json, show_status
    from pipelines.commands.status import read_status
    from pipelines.commands.verdict import verdict_of
    from pipelines.config.loader import read_config

    with refusals():
        warehouse = built_warehouse(config)
        hours = read_config(config).operation.notify.max_age_hours
        found = read_status(warehouse, utc(now), max_age or timedelta(hours=hours))
    verdict = verdict_of(found)
    show = partial(show_status, verbose=verbose)
    answer((found, verdict), as_json, show, json=json)
    raise typer.Exit(0 if verdict.is_good else 1)


def notify(
    now: Now = None,
    *,
    test: Annotated[
        bool, typer.Option("--test", help="Send a test message to every service.")
    ] = False,
    config: Folder = CONFIG,
) -> None:
    """Tell the services of [notify] what is new, and what is well again.

    A run does the same when it ends; from a scheduler, this one also notices that no
    run came. Each incident is told once. Exit code 1: a service did not take a message,
    which is sent again the next time.
    """
    from pipelines.commands.notify import send_test, tell_incidents
    from pipelines.config.loader import read_config

    with refusals():
        settings = read_config(config)
        told = send_test(settings) if test else tell_incidents(settings, utc(now))
    for sentence in told.sent:
        typer.echo(sentence)
    for sentence in told.failed:
        say(sentence)
    if not told.sent and not told.failed:
        typer.echo("nothing new")
    raise typer.Exit(1 if told.failed else 0)
