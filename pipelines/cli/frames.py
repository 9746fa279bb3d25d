"""What commands have around them: configuration, progress, and JSON or a view."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
import typer

from pipelines.cli.endings import say
from pipelines.cli.parameters import utc

if TYPE_CHECKING:
    from pipelines.config.model import Config
    from pipelines.load.loader import Progress
    from pipelines.warehouse.paths import Warehouse

_Found = TypeVar("_Found")


def answer(
    found: _Found,
    as_json: Callable[[_Found], object],
    show: Callable[[_Found], None],
    *,
    json: bool,
) -> None:
    """Print what a command found: for a machine on stdout, or as its view shows it."""
    if json:
        text = msgspec.json.format(msgspec.json.encode(as_json(found)))
        sys.stdout.buffer.write(text + b"\n")
    else:
        show(found)


@contextmanager
def configured(
    folder: Path,
    now: datetime | None,
    *,
    sandbox: bool,
    if_unconfigured: bool = False,
) -> "Iterator[tuple[Config, str, datetime]]":
    """Read the configuration; with ``sandbox``, start the sandbox vendors for it.

    ``if_unconfigured`` starts them too where nobody began to configure a vendor.
    Raises `ConfigError` where no vendor is configured, and where both are.
    """
    from dataclasses import replace  # noqa: PLC0415

    from pipelines.config.loader import read_config  # noqa: PLC0415
    from pipelines.config.toml_file import ConfigError  # noqa: PLC0415
    from pipelines.sandbox.process import running_sandbox  # noqa: PLC0415

    settings = read_config(folder)
    tell_places(folder, settings)
    if settings.vendors and sandbox:
        names = ", ".join(vendor.name for vendor in settings.vendors)
        raise ConfigError(
            f"--sandbox loads invented calls, and {names} is configured in {folder} or "
            "the environment; leave --sandbox out, or name another folder with --config"
        )
    if settings.vendors:
        yield replace(settings, is_as_of=now is not None), "vendors", utc(now)
        return
    if not sandbox and not (if_unconfigured and not (folder / "secrets.toml").exists()):
        raise ConfigError(
            f"no vendor is configured in {folder}; fill in secrets.toml there, or try: "
            "callhouse run --sandbox"
        )
    with running_sandbox(utc(now) if now else None) as world:
        typer.echo(
            f"Loading invented calls of the sandbox vendors, as of {world.now}.",
            err=True,
        )
        environment = {**os.environ, **world.environment}
        settings = read_config(folder, environment)
        yield replace(settings, is_as_of=True), "sandbox", world.now


def tell_places(folder: Path, settings: "Config") -> None:
    """Say which configuration and which warehouse a command works with."""
    warehouse = settings.warehouse.root.absolute()
    say(f"configuration {folder}, warehouse {warehouse}")


@contextmanager
def narrated() -> "Iterator[Progress]":
    """Show progress; an interruption ends in one sentence and an exit code."""
    from pipelines.cli.progress import shown_progress  # noqa: PLC0415
    from pipelines.cli.signals import Interrupted, interruptible  # noqa: PLC0415
    from pipelines.cli.tables import stderr  # noqa: PLC0415

    latest: dict[str, str] = {}
    try:
        with interruptible(), shown_progress(stderr()) as progress:

            def noted(name: str, done: int, plan: int, records: int, note: str) -> None:
                if plan:
                    latest[name] = f"{name} {done} of {plan} windows"
                progress(name, done, plan, records, note)

            yield noted
    except Interrupted as stop:
        done = f" ({', '.join(latest.values())})" if latest else ""
        typer.echo(
            f"callhouse: interrupted; what is in stays{done}, and the same command "
            "goes on from there",
            err=True,
        )
        raise typer.Exit(stop.exit_code) from None


def built_warehouse(folder: Path) -> "Warehouse":
    """Return the warehouse, where there is something to ask."""
    from pipelines.config.loader import read_config  # noqa: PLC0415
    from pipelines.config.toml_file import ConfigError  # noqa: PLC0415
    from pipelines.warehouse.migration import refuse_other_tables  # noqa: PLC0415

    warehouse = read_config(folder).warehouse
    published = warehouse.published
    if not published.exists():
        raise ConfigError(f"there is no {published.absolute()} yet; run: callhouse run")
    refuse_other_tables(published)
    return warehouse
