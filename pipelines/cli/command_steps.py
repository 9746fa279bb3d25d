"""What several commands do around their work: configuration, progress, output."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NoReturn, TypeVar

import msgspec
import typer

from pipelines.cli.endings import exit_code, refusals, say
from pipelines.cli.parameters import FRIENDLY, utc

if TYPE_CHECKING:
    from pipelines.commands.run import RunResult
    from pipelines.config.model import Config, Vendor
    from pipelines.load.turns import Progress
    from pipelines.warehouse.paths import Warehouse

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Selection:
    """What a command loads: the vendors that its options name, with their accounts."""

    config: "Config"
    now: datetime
    vendors: "Sequence[Vendor]"
    origin: str
    """Whose calls these are: "vendors" or "sandbox"."""


@contextmanager
def selection(
    folder: Path,
    now: datetime | None,
    names: Sequence[str] | None,
    aliases: Sequence[str] | None = None,
    *,
    sandbox: bool,
    if_unconfigured: bool = False,
    world: str = FRIENDLY,
    quiet: bool = False,
) -> Iterator[Selection]:
    """Read the configuration as `configured` does, and select vendors and accounts.

    An error that ends a command becomes a sentence and an exit code (`refusals`).
    """
    from pipelines.cli.options import select_vendors
    from pipelines.config.toml_file import ConfigError

    with (
        refusals(),
        configured(
            folder,
            now,
            sandbox=sandbox,
            if_unconfigured=if_unconfigured,
            world=world,
            quiet=quiet,
        ) as (settings, origin, clock),
    ):
        if settings.start and settings.start > clock.date():
            raise ConfigError(
                f"[callhouse] start {settings.start} lies in the future; it is "
                f"{clock:%Y-%m-%d} (UTC)"
            )
        vendors = select_vendors(settings, names, aliases)
        yield Selection(settings, clock, vendors, origin)


def load_and_show(
    one: Selection,
    work: Callable[..., "RunResult"],
    *,
    json: bool,
    command: str = "run",
    unfinished: str = "",
    verbose: bool = False,
    quiet: bool = False,
    beats: bool = False,
) -> NoReturn:
    """Run ``work`` with progress, print its result, and end with its exit code.

    ``command`` names it. ``unfinished`` is printed where not all windows were read.
    ``beats``: once all vendors are complete, the heartbeat is requested.
    """
    from pipelines.cli.run_view import as_json, show
    from pipelines.commands.follow_up import trace_run

    began, began_at = monotonic(), datetime.now(UTC)
    beats = beats and len(one.vendors) == len(one.config.vendors)
    after = followed_up(one.config, one.now, beats=beats)
    with after as ended, narrated(quiet=quiet) as progress:
        result = work(
            one.config, one.now, progress, vendors=one.vendors, origin=one.origin
        )
        ended(exit_code(result))
    view = partial(
        show,
        title="Backfill" if command == "backfill" else "This run",
        seconds=monotonic() - began,
        verbose=verbose,
        quiet=quiet,
    )
    answer(result, as_json, view, json=json)
    for trouble in trace_run(command, result, began_at, datetime.now(UTC)):
        say(trouble)
    if unfinished and not all(own.has_all_windows for own in result.outcomes):
        typer.echo(unfinished, err=True)
    raise typer.Exit(exit_code(result))


@contextmanager
def followed_up(
    config: "Config", now: datetime, *, beats: bool = False
) -> Iterator[Callable[[int], None]]:
    """Notify services once a run has ended, however it ended.

    Yields what takes the exit code. What goes wrong is printed on stderr; the exit code
    of the run stays. An interrupted run is followed by nothing.
    """
    from pipelines.commands.follow_up import follow_up

    codes: list[int] = []

    def follow() -> None:
        for sentence in follow_up(config, now, beats=beats and codes == [0]):
            say(sentence)

    try:
        yield codes.append
    except typer.Exit:
        raise
    except Exception:
        follow()
        raise
    follow()


def answer(
    found: _Found,
    as_json: Callable[[_Found], object],
    show: Callable[[_Found], None],
    *,
    json: bool,
) -> None:
    """Print what a command found: as JSON on stdout, or with its view."""
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
    world: str = FRIENDLY,
    quiet: bool = False,
) -> "Iterator[tuple[Config, str, datetime]]":
    """Read the configuration; with ``sandbox``, start the sandbox vendors.

    ``if_unconfigured`` starts them as well if there is no secrets.toml. The friendly
    ``world`` has exchange rates where none are configured. Yields the configuration,
    whose calls they are, and the time. Raises `ConfigError` if no vendor
    is configured, or if one is and ``sandbox`` is set. ``quiet``: it prints nothing.
    """
    from dataclasses import replace

    from pipelines.cli.sample_rates import sample_rates
    from pipelines.config.fx_rates import rates_of
    from pipelines.config.loader import read_config
    from pipelines.config.toml_file import ConfigError
    from pipelines.sandbox.process import running_sandbox

    settings = read_config(folder)
    if not quiet:
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
    with running_sandbox(utc(now) if now else None, world=world) as running:
        tell = _nothing if quiet else partial(typer.echo, err=True)
        tell(f"Loading invented calls of the sandbox vendors, as of {running.now}.")
        environment = {**os.environ, **running.environment}
        settings = replace(read_config(folder, environment), is_as_of=True)
        if world == FRIENDLY and not rates_of(settings.fx_rates).num_rows:
            tell("Exchange rates are made up as well.")
            rates = sample_rates(running.now.date())
            settings = replace(settings, fx_rates=rates)
        yield settings, "sandbox", running.now


def tell_places(folder: Path, settings: "Config") -> None:
    """Print on stderr which configuration and which warehouse a command uses."""
    warehouse = settings.warehouse.root.absolute()
    say(f"configuration {folder}, warehouse {warehouse}")


def tell_unfinished(warehouse: "Warehouse") -> None:
    """Say on stderr if erased values may still be in files of the warehouse."""
    from pipelines.warehouse.suppression_list import unfinished

    if names := ", ".join(unfinished(warehouse)):
        say(
            f"an erasure is not finished ({names}), so what is erased may still be in "
            "files of the warehouse; the next run or transform finishes it"
        )


def tell_plain(settings: "Config", what: str) -> None:
    """Say on stderr that what a command shows has numbers as vendors write them."""
    from pipelines.warehouse.number_protection import PLAIN

    mode = settings.privacy.phone_numbers
    if mode != PLAIN:
        say(
            f"{what} private raw files, so phone numbers are not {mode} there; for the "
            "owner of the warehouse alone"
        )


@contextmanager
def narrated(*, quiet: bool = False) -> "Iterator[Progress]":
    """Show progress, unless ``quiet``.

    An interrupted command ends with one sentence and an exit code.
    """
    from pipelines.cli.progress import shown_progress
    from pipelines.cli.signals import Interrupted, interruptible
    from pipelines.cli.tables import stderr

    latest: dict[str, str] = {}
    try:
        shown = nullcontext(_nothing) if quiet else shown_progress(stderr())
        with interruptible(), shown as progress:

            def noted(name: str, done: int, plan: int, records: int, note: str) -> None:
                if plan:
                    latest[name] = f"{name} {done} of {plan} windows"
                progress(name, done, plan, records, note)

            yield noted
    except Interrupted as stop:
        done = f" ({', '.join(latest.values())})" if latest else ""
        typer.echo(
            f"callhouse: interrupted; what is loaded stays{done}, and the same command "
            "continues from there",
            err=True,
        )
        raise typer.Exit(stop.exit_code) from None


def _nothing(*_: object) -> None:
    """Print nothing."""


def built_warehouse(folder: Path) -> "Warehouse":
    """Return the configured warehouse, which has a published file of this layout.

    Raises `ConfigError` if nothing is published yet, `LayoutError` for other tables.
    """
    from pipelines.config.loader import read_config
    from pipelines.config.toml_file import ConfigError
    from pipelines.warehouse.migration import refuse_other_tables

    warehouse = read_config(folder).warehouse
    published = warehouse.tables
    if not published.exists():
        place = warehouse.published.absolute() if warehouse.lake is None else published
        raise ConfigError(f"there is no {place} yet; run: callhouse run")
    refuse_other_tables(published)
    tell_unfinished(warehouse)
    return warehouse
