"""The commands of a schedule: install, show, remove."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipelines.cli.endings import refusals, say
from pipelines.cli.parameters import CONFIG, Folder, Now, utc

With = Annotated[
    Literal["systemd", "cron"] | None,
    typer.Option(
        "--with",
        show_default="systemd where it runs, else cron",
        help="The scheduler.",
    ),
]
User = Annotated[
    bool,
    typer.Option("--user", help="The user's own units of systemd, also for root."),
]

schedule = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Start a run each day, at the time of [schedule].",
)


@schedule.command()
def install(
    now: Now = None,
    with_what: With = None,
    *,
    user: User = False,
    config: Folder = CONFIG,
) -> None:
    """Install a timer of systemd, or lines of the crontab.

    A run each day; with services in [notify.services] also callhouse notify each hour.
    Doing it again changes nothing but what the configuration changes.
    """
    from pipelines.commands import schedule_install
    from pipelines.commands.schedule import next_run, place_of
    from pipelines.config.loader import read_config

    with refusals():
        settings, is_user = read_config(config), user or os.geteuid() != 0
        chosen = schedule_install.scheduler(with_what)
        done = schedule_install.install(
            settings, place_of(config), utc(now), chosen, is_user=is_user
        )
    what = "installed" if done.is_new else "is installed already"
    due = next_run(settings.operation.schedule, utc(now))
    typer.echo(f"{what}: {', '.join(done.places)}; next run {due:%Y-%m-%d %H:%M} UTC")
    if chosen == "systemd" and is_user:
        typer.echo(
            "so that it runs while you are not signed in: loginctl enable-linger"
        )
    if not _has_secrets(config):
        say(
            f"there is no {config / 'secrets.toml'}: a scheduler has none of the "
            "variables of this shell, so put the credentials there"
        )


@schedule.command()
def show(
    now: Now = None,
    form: Annotated[
        Literal["systemd", "cron", "kubernetes", "github", "container"] | None,
        typer.Option("--as", help="Print the files of this form; installs nothing."),
    ] = None,
    *,
    config: Folder = CONFIG,
) -> None:
    """Show what is installed, and when the next run is due.

    With --as it prints what another scheduler needs, made from the same configuration.
    Exit code 1: nothing is installed.
    """
    from pipelines.commands import schedule_install
    from pipelines.commands.schedule import next_run, place_of, shown
    from pipelines.config.loader import read_config

    with refusals():
        settings, place = read_config(config), place_of(config)
        if form is not None:
            typer.echo(shown(settings, place, form, utc(now)), nl=False)
            return
        found = schedule_install.installed(place)
    if not found.with_what:
        say(f"nothing is installed for {config}; run: callhouse schedule install")
        raise typer.Exit(1)
    due = next_run(settings.operation.schedule, utc(now))
    typer.echo(f"{found.kind}: {', '.join(found.places)}")
    typer.echo(f"next run {due:%Y-%m-%d %H:%M} UTC")


@schedule.command()
def remove(config: Folder = CONFIG) -> None:
    """Remove what install wrote, and nothing else."""
    from pipelines.commands import schedule_install
    from pipelines.commands.schedule import place_of

    with refusals():
        done = schedule_install.remove(place_of(config))
    if done.with_what:
        typer.echo(f"removed: {', '.join(done.places)}")
    else:
        typer.echo(f"nothing is installed for {config}")


def _has_secrets(config: Path) -> bool:
    return (config / "secrets.toml").exists()
