"""Callhouse in Dagster: an asset for each stream of a vendor, by days, and each table.

Start it with ``dagster dev -m pipelines.cli.dagster_assets``, in the working folder of
the other commands; it needs the extra ``callhouse[dagster]``. A range that Dagster
backfills is one backfill here, so the ledger alone decides what is read, and a sensor
tells Dagster of days that others loaded. All tables are published together, or none is.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg

from pipelines.cli.options import backfill_request
from pipelines.commands.build import MODELS
from pipelines.commands.model_inputs import model_inputs
from pipelines.commands.run import RunResult, run_backfill, run_pipeline
from pipelines.commands.status import read_status
from pipelines.commands.unfinished import build_and_finish
from pipelines.commands.verdict import verdict_of
from pipelines.config.loader import config_folder, read_config
from pipelines.config.model import Config
from pipelines.planning.windows import DAY
from pipelines.sources import streams_of
from pipelines.warehouse.ledger import past_reads
from pipelines.warehouse.published_queries import queries_with
from transforms.runner.checks import CheckFailed
from transforms.runner.graph import Graph, read_graph
from transforms.runner.lineage import edges

CALLS, RIGHT, LONG_AGO = "main.fact_calls", "rows_are_right", "1970-01-01T00:00:00Z"


def configured() -> Config:
    """Return the configuration that the commands would use."""
    named = os.environ.get("CALLHOUSE_CONFIG")
    own = Path.home() / ".config/callhouse"
    return read_config(config_folder(Path(named) if named else None, own))


def refuse_incomplete(result: RunResult) -> None:
    """Raise Dagster's Failure if not all is loaded, or not all was built."""
    problems = [one for own in result.outcomes for one in own.problems]
    if not result.is_complete:
        problems += result.kept.values()
        raise dg.Failure("; ".join(problems) or "not all days are loaded yet")


def loading(vendor: str, days: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Return the streams of a vendor that have days; they are loaded together."""
    streams = [one for one in streams_of(vendor) if not one.is_full_refresh]
    keys = {one.name: dg.AssetKey([vendor, one.name]) for one in streams}

    @dg.multi_asset(
        name=f"load_{vendor}",
        specs=[
            dg.AssetSpec(key, group_name="load", kinds={"dlt"}, skippable=True)
            for key in keys.values()
        ],
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=f"callhouse_{vendor}",
    )
    def load(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        (first, end), now = context.partition_time_window, datetime.now(UTC)
        wanted, config = backfill_request(first, min(end - DAY, now), now), configured()
        own = [one for one in config.vendors if one.name == vendor]
        if not own:
            raise dg.Failure(f"{vendor} is not configured any more; load its code anew")
        result = run_backfill(
            config, now, _quiet, vendors=own, request=wanted, builds=False
        )
        refuse_incomplete(result)
        windows = sum(one.windows for one in result.outcomes)
        # A stream that an account may not read is left out, and the rest is complete.
        read = {one.stream for one in past_reads(config.warehouse.raw(vendor))}
        for key in (key for name, key in keys.items() if name in read):
            yield dg.MaterializeResult(asset_key=key, metadata={"windows": windows})

    return load


def _quiet(*_: object) -> None:
    """Show no progress: Dagster shows what an asset returns."""


def upstream(
    graph: Graph, streams: Collection[dg.AssetKey]
) -> Mapping[str, set[dg.AssetKey]]:
    """Return, by table, the stored tables and the vendors' streams it is made of."""
    stored = {one.table: key_of(one.table) for one in graph.models if one.is_stored}
    found: dict[str, set[dg.AssetKey]] = {}
    for read, table in edges(graph):  # in the order in which they are built
        schema, _, name = read.partition(".")
        vendor = name.partition("__")[0]
        of_raw = {key for key in streams if schema == "raw" and key.path[0] == vendor}
        made_of = {stored[read]} if read in stored else found.get(read, of_raw)
        found.setdefault(table, set()).update(made_of)
    return found


def key_of(table: str) -> dg.AssetKey:
    """Return the asset of a table, named as ``main.fact_calls``."""
    return dg.AssetKey(table.split("."))


def building(graph: Graph, streams: Collection[dg.AssetKey]) -> dg.AssetsDefinition:
    """Return the tables that a build makes, each with a check of its rows."""
    made_of = upstream(graph, streams)
    stored = {one.table: one for one in graph.models if one.is_stored}
    specs = [
        dg.AssetSpec(
            key_of(table),
            deps=sorted(made_of.get(table, ())),
            description=model.sentence,
            group_name=model.schema,
            kinds={"sql", "duckdb"},
        )
        for table, model in stored.items()
    ]
    checks = [dg.AssetCheckSpec(RIGHT, asset=key_of(table)) for table in stored]

    @dg.multi_asset(
        name="build", specs=specs, check_specs=checks, pool="callhouse_build"
    )
    def build() -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        try:
            result, _ = build_and_finish(configured(), datetime.now(UTC))
        except CheckFailed as error:
            table = error.model if error.model in stored else CALLS
            yield checked(table, passed=False, check=error.check, rows=error.count)
            raise dg.Failure(f"{error}", allow_retries=False) from None
        refuse_incomplete(RunResult((), result, None))
        for table in stored:
            yield checked(table, passed=True)
            yield made(table, result.rows.get(table))

    return build


def checked(table: str, *, passed: bool, **found: str | int) -> dg.AssetCheckResult:
    """Return the result of the check of a table's asset."""
    return dg.AssetCheckResult(
        passed=passed, asset_key=key_of(table), check_name=RIGHT, metadata=found
    )


def made(table: str, rows: int | None) -> dg.MaterializeResult[None]:
    """Return that a table was built, with its number of rows."""
    return dg.MaterializeResult(asset_key=key_of(table), metadata={"rows": rows})


@dg.asset_check(asset=key_of(CALLS), name="all_is_in")
def all_is_in() -> dg.AssetCheckResult:
    """Say what `callhouse status` says first: by the ledger, whoever loaded."""
    verdict = verdict_of(read_status(configured().warehouse, datetime.now(UTC)))
    found = {"verdict": verdict.sentence}
    return dg.AssetCheckResult(passed=verdict.is_good, metadata=found)


@dg.op
def run() -> None:
    """Do what `callhouse run` does."""
    config = configured()
    result = run_pipeline(config, datetime.now(UTC), _quiet, vendors=config.vendors)
    refuse_incomplete(result)


@dg.job
def daily() -> None:
    """Load what is missing, build and publish; the sensor tells of the days."""
    run()


def ledger_of(days: dg.PartitionsDefinition[str]) -> dg.SensorDefinition:
    """Return the sensor that tells Dagster of the days that are stored completely."""

    @dg.sensor(name="ledger", minimum_interval_seconds=600)
    def ledger(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        since, known = context.cursor or LONG_AGO, {*days.get_partition_keys()}
        published = configured().warehouse.tables
        if not published.exists():
            return dg.SensorResult(skip_reason="nothing is published yet")
        with queries_with(published, {"since": since}) as rows:
            found = [row | {"day": f"{row['day']}"} for row in rows("complete_days")]
        events = [
            dg.AssetMaterialization(
                [row["vendor"], row["stream"]],
                partition=row["day"],
                metadata={"records": row["records"]},
            )
            for row in found
            if row["day"] in known
        ]
        newest = max((row["last_read_at"] for row in found), default=since)
        return dg.SensorResult(asset_events=events, cursor=str(newest))

    return ledger


def definitions() -> dg.Definitions:
    """Return the assets, their checks, the daily run and the sensor of the ledger."""
    config, now = configured(), datetime.now(UTC)
    first = config.start or date(now.year - 1, 1, 1)
    days = dg.DailyPartitionsDefinition(first.isoformat(), timezone="UTC")
    graph = read_graph(MODELS, {*model_inputs(config, now, {}), "runs"})
    loads = [loading(vendor.name, days) for vendor in config.vendors]
    tables = building(graph, {key for one in loads for key in one.keys})
    at = config.operation.schedule
    schedule = dg.ScheduleDefinition(
        job=daily,
        cron_schedule=f"{at.minute} {at.hour} * * *",
        execution_timezone=at.time_zone,
    )
    return dg.Definitions(
        assets=[*loads, tables],
        asset_checks=[all_is_in],
        jobs=[daily],
        schedules=[schedule],
        sensors=[ledger_of(days)],
    )


defs = definitions()
