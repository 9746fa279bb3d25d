"""The ``callhouse`` command: parse, call, print, exit code; nothing else.

Exit codes: 0 all is in; 1 a vendor or a window is open, or a record is new in
quarantine, the rest is in; 2 the run did not start, or could not go on (configuration,
a full disk, another run, a file that is open elsewhere, or damaged); 3 a check failed,
nothing new was published; 70 an error that is a fault of ours, with a report file; 130
and 143 Ctrl-C and SIGTERM, what was in by then stays; 141 nobody reads the output.
"""

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import msgspec
import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from pipelines.commands.run import Night
    from pipelines.config.model import Config, Vendor
    from pipelines.load.loader import Progress
    from pipelines.planning.planner import Order
    from pipelines.warehouse.paths import Warehouse


class _Commands(TyperGroup):
    """All commands: none of them ends in a traceback, whatever happens."""

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - as typer's
        """Run a command as typer does, and print what it could not foresee."""
        _prepare_output()
        with _failures():
            return super().main(*args, **extra)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - as typer's
        """Run a command and write out what it printed."""
        with _refusals():
            try:
                return super().invoke(ctx)
            finally:
                _write_out()


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""Every call, from every vendor, in one table, loaded every night.

Credentials stand in config/secrets.toml or in CALLHOUSE__SOURCES__VENDOR__KEY; without
them, --sandbox loads invented calls from the bundled sandbox vendors.

A first evening: callhouse run --sandbox, then callhouse status, then
callhouse query "select * from fact_calls limit 5".

Older days: callhouse backfill --from 2026-01-01 --to 2026-03-31 --dry-run says what
it would take; without --dry-run it reads them, as often interrupted as you like.""",
)
fx = typer.Typer(no_args_is_help=True, help="Exchange rates, for cost_reporting.")
app.add_typer(fx, name="fx")

export = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Write the models for another tool, which then needs Callhouse no more.",
)
app.add_typer(export, name="export")

quarantine = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Records that could not be read: count them, look at them, try again.",
)
app.add_typer(quarantine, name="quarantine")

REFUSED, CHECK_FAILED, INTERRUPTED, NOBODY_READS = 2, 3, 130, 141

VendorNames = Annotated[
    list[str] | None,
    typer.Option("--vendor", help="Only this vendor; may be given several times."),
]
AccountNames = Annotated[
    list[str] | None,
    typer.Option("--account", help="Only accounts of this name."),
]
Now = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"],
        help="The clock, in UTC, for a run as of another time.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="For a machine, on stdout.")]
Full = Annotated[bool, typer.Option("--full", help="Build every call again.")]


def _folder(context: typer.Context, parameter: typer.CallbackParam, at: Path) -> Path:
    """Return the whole path of the folder that was named, or is found."""
    from pipelines.config.loader import config_folder  # noqa: PLC0415

    source = context.get_parameter_source(parameter.name or "")
    is_named = source is not None and source.name != "DEFAULT"
    own = Path(typer.get_app_dir("callhouse"))
    return config_folder(at if is_named else None, own)


Folder = Annotated[
    Path,
    typer.Option(
        "--config",
        envvar="CALLHOUSE_CONFIG",
        callback=_folder,
        show_default="config here, then the user's configuration folder",
        help="The folder of config.toml and secrets.toml.",
    ),
]
Sandbox = Annotated[
    bool,
    typer.Option(
        "--sandbox", help="Load invented calls from the bundled sandbox vendors."
    ),
]
ForgetHistory = Annotated[
    bool,
    typer.Option(
        "--forget-history",
        help="Where a raw file is gone or lacks loads, give up the calls that only "
        "the tables still have.",
    ),
]
NoAudit = Annotated[
    bool,
    typer.Option(
        "--no-audit", help="Do not ask the vendors to count what is stored already."
    ),
]
CONFIG = Path("config")


@app.command()
def run(
    vendor: VendorNames = None,
    now: Now = None,
    *,
    full: Full = False,
    no_audit: NoAudit = False,
    sandbox: Sandbox = False,
    sandbox_if_unconfigured: Annotated[
        bool,
        typer.Option(
            "--sandbox-if-unconfigured",
            help="As --sandbox, as long as no vendor is configured and there is no "
            "secrets.toml; make run says this.",
        ),
    ] = False,
    forget_history: ForgetHistory = False,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Load what is missing, build the models, publish the night.

    Run it as often as you like: it loads what the warehouse does not hold yet, and
    reads again what may still change.
    """
    from pipelines.cli.run_view import as_json, show  # noqa: PLC0415
    from pipelines.cli.tables import stderr  # noqa: PLC0415
    from pipelines.commands.run import run_night  # noqa: PLC0415 - --help must not wait for dlt

    with (
        _refusals(),
        _settings(
            config, now, sandbox=sandbox, if_unconfigured=sandbox_if_unconfigured
        ) as (settings, origin, clock),
    ):
        chosen = _chosen(settings, vendor)
        with _narrated() as progress:
            night = run_night(
                settings,
                clock,
                progress,
                vendors=chosen,
                full=full,
                origin=origin,
                audit=not no_audit,
                forget_history=forget_history,
            )
        if json:
            _print_json(as_json(night))
        else:
            show(stderr(), night)
    raise typer.Exit(_exit_code(night))


@app.command()
def load(
    vendor: VendorNames = None,
    now: Now = None,
    *,
    no_audit: NoAudit = False,
    sandbox: Sandbox = False,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Load what is missing into the raw files, without building."""
    from pipelines.cli.run_view import as_json, show  # noqa: PLC0415
    from pipelines.cli.tables import stderr  # noqa: PLC0415
    from pipelines.commands.run import Night, load_all  # noqa: PLC0415

    with (
        _refusals(),
        _settings(config, now, sandbox=sandbox) as (settings, origin, clock),
    ):
        chosen = _chosen(settings, vendor)
        with _narrated() as progress:
            outcomes = load_all(
                settings,
                clock,
                progress,
                vendors=chosen,
                origin=origin,
                audit=not no_audit,
            )
        night = Night(tuple(outcomes), None, None)
        if json:
            _print_json(as_json(night))
        else:
            show(stderr(), night)
    raise typer.Exit(_exit_code(night))


@app.command()
def backfill(
    since: Annotated[
        datetime,
        typer.Option("--from", formats=["%Y-%m-%d"], help="The first UTC day."),
    ],
    until: Annotated[
        datetime | None,
        typer.Option(
            "--to",
            formats=["%Y-%m-%d"],
            help="The last UTC day, it too is read; without it, today.",
        ),
    ] = None,
    vendor: VendorNames = None,
    account: Annotated[
        list[str] | None,
        typer.Option(help="Only accounts of this name; may be given several times."),
    ] = None,
    now: Now = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would take, read nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Read again what is held and settled.")
    ] = False,
    confirm_deletions: Annotated[
        bool,
        typer.Option(
            "--confirm-deletions",
            help="Mark as deleted what the vendor does not list of these days: you "
            "know that it is true. Needs --force.",
        ),
    ] = False,
    oldest_first: Annotated[
        bool, typer.Option("--oldest-first", help="Else the newest day comes first.")
    ] = False,
    sandbox: Sandbox = False,
    forget_history: ForgetHistory = False,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Load the days of a range that are not held yet, then build and publish.

    Both days are UTC and are read themselves. Interrupt it as you like: the same
    command goes on from there. It lets a night that wants the same vendor go first.
    """
    from pipelines.cli.options import days_ordered  # noqa: PLC0415
    from pipelines.cli.run_view import as_json, show  # noqa: PLC0415
    from pipelines.cli.tables import stderr  # noqa: PLC0415
    from pipelines.commands.run import run_backfill  # noqa: PLC0415

    with (
        _refusals(),
        _settings(config, now, sandbox=sandbox) as (settings, origin, clock),
    ):
        order = days_ordered(
            _utc(since),
            None if until is None else _utc(until),
            clock,
            is_forced=force,
            newest_first=not oldest_first,
            confirms_deletions=confirm_deletions,
        )
        chosen = _chosen(settings, vendor, account)
        if dry_run:
            raise typer.Exit(_dry_run(settings, clock, order, chosen, json=json))
        with _narrated() as progress:
            night = run_backfill(
                settings,
                clock,
                progress,
                order,
                vendors=chosen,
                origin=origin,
                forget_history=forget_history,
            )
        if json:
            _print_json(as_json(night))
        else:
            show(stderr(), night, "Backfill")
    if not all(outcome.has_all_windows for outcome in night.outcomes):
        typer.echo("Not all is in; the same command goes on from here.", err=True)
    raise typer.Exit(_exit_code(night))


@app.command()
def transform(
    now: Now = None,
    *,
    full: Full = False,
    forget_history: ForgetHistory = False,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Build the models from the raw files and publish, without loading."""
    from pipelines.commands.run import build_and_publish  # noqa: PLC0415
    from pipelines.config.loader import read_config  # noqa: PLC0415
    from pipelines.config.toml_file import ConfigError  # noqa: PLC0415

    with _refusals(), _narrated():
        clock, settings = _utc(now), read_config(config)
        _tell_places(config, settings)
        raw = settings.warehouse.raw_folder.absolute()
        if not any(raw.glob("*.duckdb")):
            raise ConfigError(f"there is nothing to build in {raw}; run: callhouse run")
        built, published = build_and_publish(
            settings, clock, full=full, forget_history=forget_history
        )
    if json:
        _print_json(
            {
                "full": built.is_full,
                "reason": built.reason,
                "kept": dict(built.kept),
                "touched": dict(built.touched),
                "rows": dict(built.rows),
                "warehouse": str(published),
            }
        )
        raise typer.Exit(1 if built.kept else 0)
    touched = ", ".join(f"{name} {count}" for name, count in built.touched.items())
    how = f"full: {built.reason}" if built.is_full else "what changed"
    typer.echo(f"built ({how}): {touched or 'nothing new'}; published {published}")
    for sentence in built.kept.values():
        typer.echo(f"callhouse: {sentence}", err=True)
    raise typer.Exit(1 if built.kept else 0)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any free one.")] = 0,
    now: Now = None,
    seed: Annotated[int, typer.Option(help="Another seed, another history.")] = 7,
) -> None:
    """Serve the five sandbox vendors on loopback until you stop it.

    Prints the environment that makes any other command load from them.
    """
    from pipelines.sandbox.process import running_sandbox  # noqa: PLC0415

    with running_sandbox(_utc(now) if now else None, port=port, seed=seed) as world:
        for name, value in world.environment.items():
            typer.echo(f"export {name}={msgspec.json.encode(value).decode()}")
        typer.echo(
            f"# serving {world.url} as of {world.now}; stop with Ctrl-C", err=True
        )
        world.wait()


@app.command()
def status(
    now: Now = None,
    *,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Tell what is held of every account, day by day, and what is open.

    What was loaded since the last build is not in it; days since then are missing.
    """
    from pipelines.cli.status_view import as_json, show_status  # noqa: PLC0415
    from pipelines.commands.status import read_status  # noqa: PLC0415

    with _refusals():
        found = read_status(_built(config), _utc(now))
    if json:
        _print_json(as_json(found))
    else:
        show_status(found)
    raise typer.Exit(1 if found.windows_open else 0)


@app.command()
def verify(
    vendor: VendorNames = None,
    now: Now = None,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="The first day, in UTC."),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="The last day, in UTC."),
    ] = None,
    *,
    sandbox: Sandbox = False,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Compare what is held with what came, and with the vendors' totals today.

    Asks the vendors for totals only, loads nothing and mends nothing; what does not
    agree is named, with the command that mends it.
    """
    from dataclasses import asdict  # noqa: PLC0415

    from pipelines.cli.tables import plain  # noqa: PLC0415
    from pipelines.cli.verify_view import show_verdicts  # noqa: PLC0415
    from pipelines.commands.verify import verify as verified  # noqa: PLC0415
    from pipelines.planning.windows import whole_days  # noqa: PLC0415

    with _refusals(), _settings(config, now, sandbox=sandbox) as (settings, _, clock):
        span = whole_days(since, until, clock)
        verdicts = [
            verified(one, settings, clock, span) for one in _chosen(settings, vendor)
        ]
    if json:
        _print_json(
            [
                {
                    **asdict(one),
                    "findings": [
                        {key: plain(value) for key, value in asdict(finding).items()}
                        for finding in one.findings
                    ],
                }
                for one in verdicts
            ]
        )
    else:
        show_verdicts(verdicts)
    raise typer.Exit(1 if any(one.findings for one in verdicts) else 0)


@app.command()
def doctor(now: Now = None, *, json: AsJson = False, config: Folder = CONFIG) -> None:
    """Examine every file of the warehouse, and name the remedy for what is wrong.

    It reads all of every file, asks no vendor and changes nothing. Exit code 1: there
    is something to do.
    """
    from dataclasses import asdict  # noqa: PLC0415

    from pipelines.commands.doctor import examine  # noqa: PLC0415
    from pipelines.config.loader import read_config  # noqa: PLC0415

    with _refusals():
        found = examine(read_config(config), _utc(now))
    if json:
        _print_json([asdict(one) for one in found])
    else:
        for one in found:
            made = f", layout {one.layout}, {one.program}" if one.program else ""
            typer.echo(f"{one.state:<7} {one.file}{made}")
            if one.problem:
                typer.echo(f"        {one.problem}\n        remedy: {one.remedy}")
    raise typer.Exit(1 if any(one.remedy for one in found) else 0)


@app.command(context_settings={"ignore_unknown_options": True})
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over the published tables.")],
    *,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Ask the published warehouse, also while a run is going on.

    Any DuckDB client can open the file as well; this one needs none installed.
    """
    import duckdb  # noqa: PLC0415

    from pipelines.cli.tables import plain, show_rows  # noqa: PLC0415
    from pipelines.config.toml_file import ConfigError  # noqa: PLC0415
    from pipelines.warehouse.published import rows_of_sql  # noqa: PLC0415

    with _refusals():
        published = _built(config).published
        try:
            # A locale without UTF-8 hands its bytes over as they are.
            sql = sql.encode("utf-8", "surrogateescape").decode("utf-8")
            if not duckdb.extract_statements(sql):
                raise ConfigError("the query is empty; give one SELECT")
            rows = rows_of_sql(published, sql)
        except duckdb.Error as error:
            _say(error)
            raise typer.Exit(REFUSED) from None
        except UnicodeError:
            raise ConfigError("the query is not UTF-8") from None
        except (OverflowError, ValueError) as error:
            raise ConfigError(
                f"the answer has a value that Python cannot have ({error}); cast it, "
                "as in: x::varchar"
            ) from None
    if json:
        _print_json([{k: plain(v) for k, v in row.items()} for row in rows])
    else:
        show_rows(rows)


@export.command("dbt")
def export_dbt(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Absent, empty, or of an earlier export."),
    ],
    now: Now = None,
    *,
    config: Folder = CONFIG,
) -> None:
    """Write the models, their tests and what their columns mean as a dbt project.

    It reads the raw files as they are then, and the configuration as it is now.
    """
    from pipelines.commands.export_dbt import export_to_dbt  # noqa: PLC0415
    from pipelines.config.loader import read_config  # noqa: PLC0415

    with _refusals():
        count = export_to_dbt(read_config(config), _utc(now), folder)
    typer.echo(f"wrote {count} files; in {folder}, `dbt build` makes the tables")


@quarantine.command("list")
def list_quarantine(
    vendor: VendorNames = None,
    account: AccountNames = None,
    *,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Count the records in quarantine by vendor, account and reason.

    Open are those that the last complete reading of their window still had. No record
    is printed.
    """
    from pipelines.cli.tables import plain, show_rows  # noqa: PLC0415
    from pipelines.commands.quarantine import by_reason, unreadable  # noqa: PLC0415
    from pipelines.config.loader import read_config  # noqa: PLC0415

    with _refusals():
        found = unreadable(read_config(config).warehouse, vendor, account)
    rows = by_reason(found)
    if json:
        _print_json([{k: plain(v) for k, v in row.items()} for row in rows])
    elif rows:
        show_rows(rows)
    else:
        typer.echo("Nothing is in quarantine.", err=True)


@quarantine.command("show")
def show_quarantine(
    number: Annotated[
        list[int] | None,
        typer.Argument(help="Only the records of these numbers; without, all."),
    ] = None,
    vendor: VendorNames = None,
    account: AccountNames = None,
    *,
    config: Folder = CONFIG,
) -> None:
    """Print records in quarantine as their vendor sent them; they may be personal.

    Numbers count what the same --vendor and --account select, the oldest first.
    """
    from pipelines.commands.quarantine import shown, unreadable  # noqa: PLC0415
    from pipelines.config.loader import read_config  # noqa: PLC0415

    with _refusals():
        found = unreadable(read_config(config).warehouse, vendor, account)
        lines = list(shown(found, number or ()))
    typer.echo(
        "These are records as they came: they may hold phone numbers and names."
        if lines
        else "Nothing is in quarantine.",
        err=True,
    )
    for line in lines:
        typer.echo(line)


@quarantine.command("retry")
def retry_quarantine(
    vendor: VendorNames = None,
    account: AccountNames = None,
    *,
    config: Folder = CONFIG,
) -> None:
    """Read the records in quarantine again, as after an upgrade, and store what can be.

    The vendors are not asked. Stored records keep the time they came at, so that a
    newer version stays the newest. Exit code 1: an open record still cannot be read.
    """
    from pipelines.commands.quarantine import left_by_reason, retry  # noqa: PLC0415
    from pipelines.config.loader import read_config  # noqa: PLC0415

    os.umask(0o077)  # raw files hold phone numbers
    with _refusals():
        done = retry(read_config(config).warehouse, vendor, account)
    for one in done:
        if one.stored:
            typer.echo(f"{one.vendor}: {one.stored:,} can be read now and are stored")
        for reason, count in sorted(left_by_reason(one.left).items()):
            typer.echo(f"{one.vendor}: {count:,} still cannot be read: {reason}")
    if any(one.stored for one in done):
        typer.echo("callhouse transform puts what is stored into the tables.", err=True)
    is_open = any(record.is_open for one in done for record in one.left)
    raise typer.Exit(1 if is_open else 0)


@fx.command("import")
def import_rates(
    file: Annotated[
        Path, typer.Argument(help="eurofxref-hist.csv or eurofxref.csv, unzipped.")
    ],
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="Leave out older days."),
    ] = None,
    config: Folder = CONFIG,
) -> None:
    """Put a file of the European Central Bank into fx_rates.csv of the configuration.

    Again and again, it changes nothing that is as it was; a rate that differs from the
    one held of its day replaces it and is told. The next run uses them.
    """
    from pipelines.config.ecb import read_ecb  # noqa: PLC0415
    from pipelines.config.fx_rates import FX_RATES, merge_into  # noqa: PLC0415

    with _refusals():
        given = read_ecb(file, since.date() if since else None)
        merged = merge_into(config / FX_RATES, given)
    for line in merged.told():
        typer.echo(line)


@app.command()
def explain(
    call_key: Annotated[
        str, typer.Argument(help="vendor:account:id, as in fact_calls.call_key.")
    ],
    *,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Tell all of one call: who, when, what it cost and why, what came and changed.

    With the phone numbers and names that its vendor tells. Facts are as published;
    what was loaded since stands below them, in the versions of its record.
    """
    from pipelines.cli.explain_view import as_json, show_story  # noqa: PLC0415
    from pipelines.commands.explain import explain as explained  # noqa: PLC0415
    from pipelines.config.loader import read_config  # noqa: PLC0415

    with _refusals():
        _built(config)
        story = explained(read_config(config), call_key)
    if json:
        _print_json(as_json(story))
    else:
        show_story(story)


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what refuses a run into one sentence and an exit code."""
    from pipelines.config.toml_file import ConfigError  # noqa: PLC0415
    from pipelines.warehouse.locks import LockedError  # noqa: PLC0415
    from pipelines.warehouse.opening import FileError  # noqa: PLC0415
    from pipelines.warehouse.publish import PublishError  # noqa: PLC0415
    from transforms.runner.checks import CheckFailed  # noqa: PLC0415
    from transforms.runner.parsing import ModelError  # noqa: PLC0415

    try:
        yield
    except (ConfigError, LockedError, ModelError, FileError) as error:
        _say(error)
        raise typer.Exit(REFUSED) from None
    except PublishError as error:
        _say(error)
        raise typer.Exit(CHECK_FAILED) from None
    except CheckFailed as error:
        from pipelines.cli.tables import show_bad_rows  # noqa: PLC0415

        _say(error)
        show_bad_rows([dict(row) for row in error.rows])
        typer.echo(
            "Nothing was published; analysts still read the last night.", err=True
        )
        raise typer.Exit(CHECK_FAILED) from None
    except BrokenPipeError:
        _write_nowhere(sys.stdout, sys.stderr)
        raise typer.Exit(NOBODY_READS) from None
    except KeyboardInterrupt:
        _say("interrupted")
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _failures() -> Iterator[None]:
    """Turn any other error into one sentence and an exit code."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - told, with a report
        from pipelines.load.failure import failure_of  # noqa: PLC0415

        failure = failure_of(error)
        _say(failure.sentence)
        sys.exit(failure.exit_code)


def _write_out() -> None:
    """Write what was printed, so that a full disk is an error of the command."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _write_nowhere(sys.stdout)
        raise OSError(error.errno, error.strerror, "standard output") from None


def _write_nowhere(*streams: TextIO) -> None:
    """Give up what is still to be written, which Python would try again at its end."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        os.dup2(nothing, stream.fileno())
    os.close(nothing)


def _prepare_output() -> None:
    """Spell out what a terminal's encoding lacks; write nowhere if output is closed."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _say(sentence: object) -> None:
    """Print a sentence in which nothing can steer the terminal, line ends kept."""
    from pipelines.extract.errors import escaped  # noqa: PLC0415

    lines = map(escaped, str(sentence).split("\n"))
    # Where it cannot be written, the exit code alone says it.
    with suppress(OSError):
        typer.echo("callhouse: " + "\n".join(lines), err=True)


def _exit_code(night: "Night") -> int:
    if any(outcome.is_blocked for outcome in night.outcomes):
        return REFUSED
    return 0 if night.is_complete else 1


@contextmanager
def _settings(
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
    _tell_places(folder, settings)
    if settings.vendors and sandbox:
        names = ", ".join(vendor.name for vendor in settings.vendors)
        raise ConfigError(
            f"--sandbox loads invented calls, and {names} is configured in {folder} or "
            "the environment; leave --sandbox out, or name another folder with --config"
        )
    if settings.vendors:
        yield replace(settings, is_as_of=now is not None), "vendors", _utc(now)
        return
    if not sandbox and not (if_unconfigured and not (folder / "secrets.toml").exists()):
        raise ConfigError(
            f"no vendor is configured in {folder}; fill in secrets.toml there, or try: "
            "callhouse run --sandbox"
        )
    with running_sandbox(_utc(now) if now else None) as world:
        typer.echo(
            f"Loading invented calls of the sandbox vendors, as of {world.now}.",
            err=True,
        )
        environment = {**os.environ, **world.environment}
        settings = read_config(folder, environment)
        yield replace(settings, is_as_of=True), "sandbox", world.now


def _tell_places(folder: Path, settings: "Config") -> None:
    warehouse = settings.warehouse.root.absolute()
    _say(f"configuration {folder}, warehouse {warehouse}")


def _chosen(
    settings: "Config", names: list[str] | None, aliases: list[str] | None = None
) -> "list[Vendor]":
    from pipelines.cli.options import vendors_named  # noqa: PLC0415

    return vendors_named(settings, names, aliases)


def _dry_run(
    settings: "Config",
    clock: datetime,
    order: "Order",
    vendors: "list[Vendor]",
    *,
    json: bool,
) -> int:
    from pipelines.cli.estimate_view import foresight, show_foresight  # noqa: PLC0415
    from pipelines.commands.estimate import estimate  # noqa: PLC0415

    with _narrated():
        found = [estimate(vendor, settings, clock, order) for vendor in vendors]
    if json:
        _print_json(foresight(found))
    else:
        show_foresight(found)
    return 1 if any(one.errors for one in found) else 0


@contextmanager
def _narrated() -> "Iterator[Progress]":
    """Show progress; an interruption ends in one sentence and an exit code."""
    from pipelines.cli.progress import told_progress  # noqa: PLC0415
    from pipelines.cli.signals import Interrupted, interruptible  # noqa: PLC0415
    from pipelines.cli.tables import stderr  # noqa: PLC0415

    latest: dict[str, str] = {}
    try:
        with interruptible(), told_progress(stderr()) as progress:

            def noted(name: str, done: int, plan: int, records: int, note: str) -> None:
                if plan:
                    latest[name] = f"{name} {done} of {plan} windows"
                progress(name, done, plan, records, note)

            yield noted
    except Interrupted as stop:
        held = f" ({', '.join(latest.values())})" if latest else ""
        typer.echo(
            f"callhouse: interrupted; what is in stays{held}, and the same command "
            "goes on from there",
            err=True,
        )
        raise typer.Exit(stop.exit_code) from None


def _built(folder: Path) -> "Warehouse":
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


def _utc(now: datetime | None) -> datetime:
    if now is None:
        return datetime.now(UTC)
    return now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)


def _print_json(value: object) -> None:
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value)) + b"\n")


def main() -> None:
    """Run the command line."""
    # urllib3 and dlt would log URLs, with what is in them, at their lower levels.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    for noisy in ("urllib3", "dlt"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    app()
