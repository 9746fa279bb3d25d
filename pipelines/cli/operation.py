"""The commands of who looks after a warehouse: init, status, notify, doctor."""

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
    run came. Each incident is sent once. Exit code 1: a service did not take a message,
    which is sent again the next time.
    """
    from pipelines.commands.notify import send_test, tell_incidents
    from pipelines.config.loader import read_config

    with refusals():
        settings = read_config(config)
        report = send_test(settings) if test else tell_incidents(settings, utc(now))
    for sentence in report.sent:
        typer.echo(sentence)
    for sentence in report.failed:
        say(sentence)
    if not report.sent and not report.failed:
        typer.echo("nothing new")
    raise typer.Exit(1 if report.failed else 0)


def doctor(
    now: Now = None,
    *,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Compare with the vendors' totals, too."),
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Send no request to a vendor.")
    ] = False,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Check accounts, disk, schedule, every file, and the invariants.

    It prints what is wrong and the remedy. Of each account it requests a page of each
    list, to see which it may read; with --offline it asks nobody. It reads every file
    completely, checks the invariants of docs/invariants.md, and changes nothing. Exit
    code 1: there is something to do.
    """
    from dataclasses import replace

    from pipelines.cli.doctor_view import as_json, show_findings
    from pipelines.commands.doctor import examine
    from pipelines.commands.invariants import BROKEN, check_all
    from pipelines.commands.surroundings import look_around
    from pipelines.config.loader import read_config
    from pipelines.config.toml_file import ConfigError

    with refusals():
        if verify and offline:
            raise ConfigError("--verify asks the vendors, --offline nobody; choose one")
        settings = replace(read_config(config), is_as_of=now is not None)
        at = utc(now)
        around = [*look_around(settings, config, at, offline=offline)]
        files = examine(settings, at)
        invariants = check_all(settings, at, ask_vendors=verify)
    answer((around, files, invariants), as_json, show_findings, json=json)
    is_broken = any(one.state == BROKEN for one in invariants)
    raise typer.Exit(1 if is_broken or any(one.remedy for one in around + files) else 0)


def init(
    vendor: Annotated[
        str | None, typer.Option("--vendor", help="Which; it is asked for without.")
    ] = None,
    account: Annotated[
        str, typer.Option("--account", help="The name to give the account.")
    ] = "main",
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not try the credentials.")
    ] = False,
    config: Folder = CONFIG,
) -> None:
    """Ask for a vendor's credentials, write secrets.toml, and try them.

    Secrets are not shown as they are typed. The file can be read by its owner alone; an
    account that is there is not overwritten. Exit code 1: the vendor refuses the
    credentials.
    """
    from pipelines.commands import account_check
    from pipelines.commands.init import (
        SHOWN,
        in_file,
        new_account,
        refuse_known,
        secret_keys,
        write_account,
    )

    with refusals():
        name = vendor or typer.prompt("Vendor", err=True)
        refuse_known(config, name, account)
        given = {}
        for key in secret_keys(name):
            label = f"{name} {key} (@FILE: from a file)"
            typed = typer.prompt(label, hide_input=key not in SHOWN, err=True)
            given[key] = in_file(typed)
        path = write_account(config, name, account, given)
        typer.echo(f"wrote {path}")
        if offline:
            return
        check = account_check.check_account(
            new_account(config, name, account), utc(None)
        )
    typer.echo(f"{name} {account} {account_check.sentence_of(check)}")
    if check.is_usable:
        typer.echo("next: callhouse run")
    raise typer.Exit(0 if check.is_usable else 1)
