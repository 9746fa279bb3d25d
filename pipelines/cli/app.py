"""The ``callhouse`` command: parse, call, print, exit code; nothing else."""

import logging
import os
import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pipelines.cli.endings import REFUSED, Commands, exit_code, refusals, say
from pipelines.cli.frames import (
    answer,
    built_warehouse,
    configured,
    narrated,
    tell_places,
)
from pipelines.cli.parameters import (
    CONFIG,
    AccountNames,
    AsJson,
    Folder,
    ForgetHistory,
    Full,
    NoAudit,
    Now,
    Sandbox,
    VendorNames,
    utc,
)

if TYPE_CHECKING:
    from pipelines.config.model import Config, Vendor
    from pipelines.planning.planner import BackfillRequest


app = typer.Typer(
    cls=Commands,
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
    from pipelines.commands.run import run_night  # noqa: PLC0415 - --help must not wait for dlt

    with (
        refusals(),
        configured(
            config, now, sandbox=sandbox, if_unconfigured=sandbox_if_unconfigured
        ) as (settings, origin, clock),
    ):
        chosen = _chosen(settings, vendor)
        with narrated() as progress:
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
        answer(night, as_json, show, json=json)
    raise typer.Exit(exit_code(night))


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
    from pipelines.commands.run import Night, load_all  # noqa: PLC0415

    with (
        refusals(),
        configured(config, now, sandbox=sandbox) as (settings, origin, clock),
    ):
        chosen = _chosen(settings, vendor)
        with narrated() as progress:
            outcomes = load_all(
                settings,
                clock,
                progress,
                vendors=chosen,
                origin=origin,
                audit=not no_audit,
            )
        night = Night(tuple(outcomes), None, None)
        answer(night, as_json, show, json=json)
    raise typer.Exit(exit_code(night))


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
    from pipelines.commands.run import run_backfill  # noqa: PLC0415

    with (
        refusals(),
        configured(config, now, sandbox=sandbox) as (settings, origin, clock),
    ):
        order = days_ordered(
            utc(since),
            None if until is None else utc(until),
            clock,
            is_forced=force,
            newest_first=not oldest_first,
            confirms_deletions=confirm_deletions,
        )
        chosen = _chosen(settings, vendor, account)
        if dry_run:
            raise typer.Exit(_dry_run(settings, clock, order, chosen, json=json))
        with narrated() as progress:
            night = run_backfill(
                settings,
                clock,
                progress,
                order,
                vendors=chosen,
                origin=origin,
                forget_history=forget_history,
            )
        answer(night, as_json, partial(show, title="Backfill"), json=json)
    if not all(outcome.has_all_windows for outcome in night.outcomes):
        typer.echo("Not all is in; the same command goes on from here.", err=True)
    raise typer.Exit(exit_code(night))


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
    from pipelines.cli.run_view import built_as_json, show_built  # noqa: PLC0415
    from pipelines.commands.run import build_and_publish  # noqa: PLC0415
    from pipelines.config.loader import read_config  # noqa: PLC0415
    from pipelines.config.toml_file import ConfigError  # noqa: PLC0415

    with refusals(), narrated():
        clock, settings = utc(now), read_config(config)
        tell_places(config, settings)
        raw = settings.warehouse.raw_folder.absolute()
        if not any(raw.glob("*.duckdb")):
            raise ConfigError(f"there is nothing to build in {raw}; run: callhouse run")
        built = build_and_publish(
            settings, clock, full=full, forget_history=forget_history
        )
    answer(built, built_as_json, show_built, json=json)
    raise typer.Exit(1 if built[0].kept else 0)


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

    with running_sandbox(utc(now) if now else None, port=port, seed=seed) as world:
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

    with refusals():
        found = read_status(built_warehouse(config), utc(now))
    answer(found, as_json, show_status, json=json)
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
    from pipelines.cli.verify_view import as_json, show_verdicts  # noqa: PLC0415
    from pipelines.commands.verify import verify as verified  # noqa: PLC0415
    from pipelines.planning.windows import whole_days  # noqa: PLC0415

    with refusals(), configured(config, now, sandbox=sandbox) as (settings, _, clock):
        span = whole_days(since, until, clock)
        verdicts = [
            verified(one, settings, clock, span) for one in _chosen(settings, vendor)
        ]
    answer(verdicts, as_json, show_verdicts, json=json)
    raise typer.Exit(1 if any(one.findings for one in verdicts) else 0)


@app.command()
def doctor(now: Now = None, *, json: AsJson = False, config: Folder = CONFIG) -> None:
    """Examine every file of the warehouse, and name the remedy for what is wrong.

    It reads all of every file, asks no vendor and changes nothing. Exit code 1: there
    is something to do.
    """
    from pipelines.cli.doctor_view import as_json, show_findings  # noqa: PLC0415
    from pipelines.commands.doctor import examine  # noqa: PLC0415
    from pipelines.config.loader import read_config  # noqa: PLC0415

    with refusals():
        found = examine(read_config(config), utc(now))
    answer(found, as_json, show_findings, json=json)
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

    from pipelines.cli.tables import plain_rows, show_rows  # noqa: PLC0415
    from pipelines.config.toml_file import ConfigError  # noqa: PLC0415
    from pipelines.warehouse.published import rows_of_sql  # noqa: PLC0415

    with refusals():
        published = built_warehouse(config).published
        try:
            # A locale without UTF-8 hands its bytes over as they are.
            sql = sql.encode("utf-8", "surrogateescape").decode("utf-8")
            if not duckdb.extract_statements(sql):
                raise ConfigError("the query is empty; give one SELECT")
            rows = rows_of_sql(published, sql)
        except duckdb.Error as error:
            say(error)
            raise typer.Exit(REFUSED) from None
        except UnicodeError:
            raise ConfigError("the query is not UTF-8") from None
        except (OverflowError, ValueError) as error:
            raise ConfigError(
                f"the answer has a value that Python cannot have ({error}); cast it, "
                "as in: x::varchar"
            ) from None
    answer(rows, plain_rows, show_rows, json=json)


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

    with refusals():
        count = export_to_dbt(read_config(config), utc(now), folder)
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
    from pipelines.cli.quarantine_view import show_counts  # noqa: PLC0415
    from pipelines.cli.tables import plain_rows  # noqa: PLC0415
    from pipelines.commands.quarantine import by_reason, unreadable  # noqa: PLC0415
    from pipelines.config.loader import read_config  # noqa: PLC0415

    with refusals():
        found = unreadable(read_config(config).warehouse, vendor, account)
    answer(by_reason(found), plain_rows, show_counts, json=json)


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
    from pipelines.cli.quarantine_view import show_records  # noqa: PLC0415
    from pipelines.commands.quarantine import shown, unreadable  # noqa: PLC0415
    from pipelines.config.loader import read_config  # noqa: PLC0415

    with refusals():
        found = unreadable(read_config(config).warehouse, vendor, account)
        lines = list(shown(found, number or ()))
    show_records(lines)


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
    from pipelines.cli.quarantine_view import show_retried  # noqa: PLC0415
    from pipelines.commands.quarantine import retry  # noqa: PLC0415
    from pipelines.config.loader import read_config  # noqa: PLC0415

    os.umask(0o077)  # raw files hold phone numbers
    with refusals():
        done = retry(read_config(config).warehouse, vendor, account)
    show_retried(done)
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

    with refusals():
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

    with refusals():
        built_warehouse(config)
        story = explained(read_config(config), call_key)
    answer(story, as_json, show_story, json=json)


def _chosen(
    settings: "Config", names: list[str] | None, aliases: list[str] | None = None
) -> "list[Vendor]":
    from pipelines.cli.options import vendors_named  # noqa: PLC0415

    return vendors_named(settings, names, aliases)


def _dry_run(
    settings: "Config",
    clock: datetime,
    order: "BackfillRequest",
    vendors: "list[Vendor]",
    *,
    json: bool,
) -> int:
    from pipelines.cli.estimate_view import foresight, show_foresight  # noqa: PLC0415
    from pipelines.commands.estimate import estimate  # noqa: PLC0415

    with narrated():
        found = [estimate(vendor, settings, clock, order) for vendor in vendors]
    answer(found, foresight, show_foresight, json=json)
    return 1 if any(one.errors for one in found) else 0


def main() -> None:
    """Run the command line."""
    # urllib3 and dlt would log URLs, with what is in them, at their lower levels.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    for noisy in ("urllib3", "dlt"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    app()
