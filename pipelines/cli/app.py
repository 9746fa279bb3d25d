"""The ``callhouse`` command: parse options, call one command, print, choose the exit.

What commands need is imported inside them: ``--help`` must not wait for dlt.
"""

import logging
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from pipelines.cli.command_steps import (
    Selection,
    answer,
    built_warehouse,
    followed_up,
    load_and_show,
    narrated,
    selection,
    tell_places,
    tell_plain,
)
from pipelines.cli.endings import Commands, refusals
from pipelines.cli.erase import erase
from pipelines.cli.operation import doctor, init, notify, status
from pipelines.cli.parameters import (
    CONFIG,
    FRIENDLY,
    AccountNames,
    AsJson,
    ConfirmDeletions,
    DbtNames,
    DryRun,
    FirstDay,
    Folder,
    Force,
    ForgetHistory,
    Full,
    LastDay,
    NoAudit,
    Now,
    OldestFirst,
    OnlySince,
    Quiet,
    Sandbox,
    SandboxIfUnconfigured,
    Since,
    VendorNames,
    Verbose,
    World,
    utc,
)
from pipelines.cli.quarantine import quarantine
from pipelines.cli.query import query, shell
from pipelines.cli.safekeeping import backup, restore, rollback
from pipelines.cli.schedule import schedule
from pipelines.cli.warehouse import warehouse

if TYPE_CHECKING:
    from pipelines.planning.planner import BackfillRequest

UNFINISHED = "Not all days are loaded; repeat the same command to continue."

app = typer.Typer(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""Load the calls of all vendors into one table, every night.

Write credentials into config/secrets.toml, or set CALLHOUSE__SOURCES__VENDOR__KEY in
the environment. Without credentials, --sandbox loads invented calls.

To try it: callhouse run --sandbox, then callhouse status, then
callhouse query "select * from fact_calls limit 5".

To load older days: callhouse backfill --from 2026-01-01 --to 2026-03-31. With
--dry-run it only estimates the requests and the time.""",
)


def _tell_version(*, is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        import duckdb

        typer.echo(f"callhouse {version('callhouse')}, DuckDB {duckdb.__version__}")
        raise typer.Exit


@app.callback()
def callhouse(
    *,
    _: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda asked: _tell_version(is_asked=asked),
            is_eager=True,
            help="Print the versions of Callhouse and DuckDB.",
        ),
    ] = False,
) -> None:
    """Keep what stands before a command; its help is that of the app."""


fx = typer.Typer(
    no_args_is_help=True, help="Import exchange rates, for fact_calls.cost_reporting."
)
app.add_typer(fx, name="fx")

export = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Export the models for another tool.",
)
app.add_typer(export, name="export")

app.add_typer(quarantine, name="quarantine")
app.add_typer(schedule, name="schedule")
app.add_typer(warehouse, name="warehouse")

app.command(context_settings={"ignore_unknown_options": True})(erase)
app.command(context_settings={"ignore_unknown_options": True})(query)
for command in (init, status, notify, doctor, shell, backup, restore, rollback):
    app.command()(command)


@app.command()
def run(
    vendor: VendorNames = None,
    now: Now = None,
    *,
    full: Full = False,
    no_audit: NoAudit = False,
    sandbox: Sandbox = False,
    world: World = FRIENDLY,
    sandbox_if_unconfigured: SandboxIfUnconfigured = False,
    forget_history: ForgetHistory = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Load missing calls, build, check and publish.

    It can be repeated at any time: it loads the windows that are not stored yet, reads
    again those that may have changed, and builds the models of what changed. If a check
    fails, nothing new is published.
    """
    from pipelines.commands.run import run_pipeline

    work = partial(
        run_pipeline, full=full, audit=not no_audit, forget_history=forget_history
    )
    with selection(
        config,
        now,
        vendor,
        sandbox=sandbox,
        if_unconfigured=sandbox_if_unconfigured,
        world=world,
        quiet=quiet,
    ) as one:
        load_and_show(one, work, json=json, verbose=verbose, quiet=quiet, beats=True)


@app.command()
def load(
    vendor: VendorNames = None,
    now: Now = None,
    since: OnlySince = None,
    until: LastDay = None,
    *,
    no_audit: NoAudit = False,
    sandbox: Sandbox = False,
    world: World = FRIENDLY,
    verbose: Verbose = False,
    quiet: Quiet = False,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Load missing calls into the raw files only.

    No model is built and nothing is published. With --from it is a backfill of these
    days, and no audit.
    """
    from pipelines.cli.options import backfill_request
    from pipelines.commands.run import run_backfill, run_load

    if until is not None and since is None:
        raise typer.BadParameter("name the first day as well, with --from")
    with selection(
        config, now, vendor, sandbox=sandbox, world=world, quiet=quiet
    ) as one:
        if since is None:
            work = partial(run_load, audit=not no_audit)
        else:
            last = None if until is None else utc(until)
            request = backfill_request(utc(since), last, one.now)
            work = partial(run_backfill, request=request, builds=False)
        load_and_show(
            one,
            work,
            command="load",
            unfinished="" if since is None else UNFINISHED,
            json=json,
            verbose=verbose,
            quiet=quiet,
        )


@app.command()
def backfill(
    since: FirstDay,
    until: LastDay = None,
    vendor: VendorNames = None,
    account: AccountNames = None,
    now: Now = None,
    *,
    dry_run: DryRun = False,
    force: Force = False,
    confirm_deletions: ConfirmDeletions = False,
    oldest_first: OldestFirst = False,
    sandbox: Sandbox = False,
    world: World = FRIENDLY,
    forget_history: ForgetHistory = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Load a range of days, then build and publish.

    It reads the days that are not stored yet. If it is interrupted, the same command
    continues from there. A run that needs the same vendor goes before the next batch of
    windows.
    """
    from pipelines.cli.options import backfill_request
    from pipelines.commands.run import run_backfill

    with selection(
        config, now, vendor, account, sandbox=sandbox, world=world, quiet=quiet
    ) as one:
        request = backfill_request(
            utc(since),
            None if until is None else utc(until),
            one.now,
            is_forced=force,
            newest_first=not oldest_first,
            confirms_deletions=confirm_deletions,
        )
        if dry_run:
            raise typer.Exit(_dry_run(one, request, json=json))
        work = partial(run_backfill, request=request, forget_history=forget_history)
        load_and_show(
            one,
            work,
            json=json,
            command="backfill",
            unfinished=UNFINISHED,
            verbose=verbose,
            quiet=quiet,
        )


def _dry_run(one: Selection, request: "BackfillRequest", *, json: bool) -> int:
    from pipelines.cli.estimate_view import as_json, show_estimates
    from pipelines.commands.estimate import estimate

    with narrated():
        found = [estimate(own, one.config, one.now, request) for own in one.vendors]
    answer(found, as_json, show_estimates, json=json)
    return 1 if any(own.errors for own in found) else 0


@app.command()
def transform(
    now: Now = None,
    *,
    full: Full = False,
    forget_history: ForgetHistory = False,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile", help="Show also what each model cost, the dearest first."
        ),
    ] = False,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Build, check and publish, without loading."""
    from pipelines.cli.run_view import built_as_json, show_built
    from pipelines.commands.unfinished import build_and_finish
    from pipelines.config.loader import read_config
    from pipelines.config.toml_file import ConfigError
    from pipelines.sources import vendors
    from pipelines.warehouse.opening import is_present

    with refusals(), narrated():
        clock, settings = utc(now), read_config(config)
        tell_places(config, settings)
        own = settings.warehouse
        if not any(is_present(own.raw(name)) for name in vendors()):
            place = own.lake_tables or own.raw_folder.absolute()
            raise ConfigError(
                f"there is nothing to build in {place}; run: callhouse run"
            )
        with followed_up(settings, clock):
            built = build_and_finish(
                settings, clock, full=full, forget_history=forget_history
            )
    as_json = partial(built_as_json, profile=profile)
    answer(built, as_json, partial(show_built, profile=profile), json=json)
    raise typer.Exit(1 if built[0].kept else 0)


@app.command()
def sandbox(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The TCP port; 0: any free one.")
    ] = 0,
    now: Now = None,
    seed: Annotated[
        int, typer.Option(help="Each seed gives another invented history.")
    ] = 7,
    world: World = FRIENDLY,
) -> None:
    """Serve five simulated vendors on this machine, until Ctrl-C.

    It prints the environment variables with which other commands load from them.
    """
    from pipelines.sandbox.process import running_sandbox

    clock = utc(now) if now else None
    with running_sandbox(clock, port=port, seed=seed, world=world) as running:
        for name, value in running.environment.items():
            typer.echo(f"export {name}={msgspec.json.encode(value).decode()}")
        typer.echo(
            f"# serving {running.url} as of {running.now}; stop with Ctrl-C", err=True
        )
        running.wait()


@app.command()
def verify(
    vendor: VendorNames = None,
    now: Now = None,
    since: Since = None,
    until: LastDay = None,
    *,
    sandbox: Sandbox = False,
    world: World = FRIENDLY,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Compare stored calls with vendors' totals.

    Per window, it compares the records that are stored, the records that were loaded,
    and the vendor's total today. It asks the vendors for totals only and changes
    nothing. It prints each difference with the command that repairs it. Exit code 1:
    there are differences.
    """
    from pipelines.cli.verify_view import as_json, show_verdicts
    from pipelines.commands.verify import verify as verified
    from pipelines.planning.windows import whole_days

    with selection(config, now, vendor, sandbox=sandbox, world=world) as one:
        span = whole_days(since, until, one.now)
        verdicts = [verified(own, one.config, one.now, span) for own in one.vendors]
    answer(verdicts, as_json, show_verdicts, json=json)
    raise typer.Exit(1 if any(own.findings for own in verdicts) else 0)


@app.command()
def explain(
    call_key: Annotated[
        str, typer.Argument(help="vendor:account:id, as in fact_calls.call_key.")
    ],
    *,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Show everything about one call.

    Parties, times, cost lines, loads, changes and the vendor's record. It prints phone
    numbers and names; the record is from the private raw file, and has them plainly
    whatever [privacy] phone_numbers says. The facts are those that are published; below
    them are all versions of the call's record, also of loads since the last build.
    """
    from pipelines.cli.explain_view import as_json, show_history
    from pipelines.commands.explain import explain as explained
    from pipelines.config.loader import read_config

    with refusals():
        built_warehouse(config)
        settings = read_config(config)
        tell_plain(settings, "the record is from the")
        history = explained(settings, call_key)
    answer(history, as_json, show_history, json=json)


@app.command()
def report(*, config: Folder = CONFIG) -> None:
    """Write the report, one HTML page about the published tables.

    It is report.html in the warehouse; any browser shows it, and it asks no server for
    anything. A run writes it by itself. Without [report] phone_numbers it has no phone
    number.
    """
    from pipelines.commands.report import write_report
    from pipelines.config.loader import read_config

    with refusals():
        built_warehouse(config)
        done = write_report(read_config(config))
    typer.echo(f"wrote {done.file.absolute()}, {done.size:,} bytes")
    if done.kept_as:
        typer.echo(f"it stays as {done.kept_as.absolute()}")


@app.command()
def bill(
    vendor: Annotated[
        str, typer.Argument(metavar="VENDOR", help="A vendor, such as zoom.")
    ],
    month: Annotated[
        str, typer.Argument(metavar="MONTH", help="A UTC month, such as 2026-10.")
    ],
    *,
    account: Annotated[
        str | None, typer.Option("--account", help="Only the account of this name.")
    ] = None,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Compare what a month's calls cost with what the vendor billed.

    For each account and currency: the costs of the calls, the base costs, the invoices
    of config/invoices.csv, and the difference. Below them what may explain it: the
    parts of the cost, the largest first, who pays for the calls, calls that are not
    final, and days that are not complete.
    """
    from pipelines.cli.bill_view import as_json, show_bill
    from pipelines.commands.bill import read_bill

    with refusals():
        published = built_warehouse(config).tables
        found = read_bill(published, vendor, month, account)
    answer(found, as_json, show_bill, json=json)


@app.command()
def rate(
    card: Annotated[
        Path, typer.Option("--card", help="A file of cards, as rate_cards.toml.")
    ],
    first: FirstDay,
    last: LastDay = None,
    *,
    json: AsJson = False,
    config: Folder = CONFIG,
) -> None:
    """Compare what days cost with what they would cost under other rate cards.

    The cards of the file stand in the place of all that are configured, and their
    accounts are compared, by month and currency. A load of any vendor waits while the
    calls are rated. Nothing in the warehouse changes.
    """
    from pipelines.cli.rate_view import as_json, show_comparison
    from pipelines.commands.rate import rate as rated
    from pipelines.commands.rate import read_cards
    from pipelines.config.loader import read_config

    with refusals():
        built_warehouse(config)
        settings = read_config(config)
        cards = read_cards(settings, card)
        rows = rated(settings, cards, first.date(), utc(last).date())
    answer(rows, as_json, show_comparison, json=json)


@export.command("dbt")
def export_dbt(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Absent, empty, or of an earlier export."),
    ],
    now: Now = None,
    *,
    names: DbtNames = "own",
    config: Folder = CONFIG,
) -> None:
    """Write the models as a dbt project.

    With their tests and the meaning of their columns. The project has the configuration
    as it is now, and reads the private raw files where they are: its tables show phone
    numbers plainly whatever [privacy] phone_numbers says.
    """
    from pipelines.commands.export_dbt import export_to_dbt
    from pipelines.config.loader import read_config

    with refusals():
        settings = read_config(config)
        tell_plain(settings, "the project makes its tables from the")
        count = export_to_dbt(settings, utc(now), folder, names)
    typer.echo(f"wrote {count} files; in {folder}, `dbt build` makes the tables")


@export.command("focus")
def export_focus(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Absent, empty, or of an earlier export."),
    ],
    *,
    config: Folder = CONFIG,
) -> None:
    """Write the costs as a FOCUS 1.0 dataset, in Parquet.

    FOCUS is the FinOps standard for costs. A charge is a line of a call's cost, or a
    base cost of a month; what pays is its sub-account, the cost center its tag. Exit
    code 1: calls without a known start have a cost, of which no charge can be made.
    """
    from pipelines.cli.endings import say
    from pipelines.commands.export_focus import export_to_focus

    with refusals():
        done = export_to_focus(built_warehouse(config).tables, folder)
    typer.echo(f"wrote {done.file}: {done.charges:,} charges")
    if done.left_out:
        say(f"{done.left_out:,} calls have a cost and no known start; not in the file")
        raise typer.Exit(1)


@fx.command("import")
def import_rates(
    file: Annotated[
        Path, typer.Argument(help="eurofxref-hist.csv or eurofxref.csv, unzipped.")
    ],
    since: Since = None,
    config: Folder = CONFIG,
) -> None:
    """Import rates of the European Central Bank.

    It adds the rates of a file to config/fx_rates.csv. It can be repeated. A rate that
    differs from the stored one of its day replaces it, and is printed. The next build
    uses the rates.
    """
    from pipelines.config.ecb import read_ecb
    from pipelines.config.fx_rates import FX_RATES, merge_into

    with refusals():
        rates = read_ecb(file, since.date() if since else None)
        merged = merge_into(config / FX_RATES, rates)
    for line in merged.lines():
        typer.echo(line)


def main() -> None:
    """Run the command line."""
    # urllib3 and dlt would log URLs, with what is in them, at their lower levels.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    for noisy in ("urllib3", "dlt"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    app()
