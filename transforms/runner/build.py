"""A build: the records to rebuild through all models and checks, in one transaction."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection

from transforms.runner import (
    build_state,
    data_dictionary,
    functions,
    input_sql,
    inputs,
    shards,
)
from transforms.runner.checks import Check, check_model, check_query
from transforms.runner.graph import (
    CALLS,
    Graph,
    before_records,
    beside_calls,
    for_calls,
    read_graph,
    rebuilds_in_turn,
)
from transforms.runner.inputs import RECORDS, Loads, Raw, Spans
from transforms.runner.memory import build_settings
from transforms.runner.model import Model
from transforms.runner.shards import Job, ShardResult, Shards
from transforms.runner.statements import listed, quoted, statement, temporary
from transforms.runner.storage import STORAGE, Place, attach, connect, settings_for

_OF_BUILD = f"call_key in (from {RECORDS} select call_key)"
FEW = 10_000
"""Fewer records are built with one thread: as quickly, and with less CPU."""
_COSTS = {"call_key", "vendor", "account", "cost_status", "cost_total", "currency"}
"""Columns of a call that say whether a final cost changed: an older file lacks some."""
_STRANGE = Check("a call of this build", f"not ({_OF_BUILD})", ())
"""A row of another call could not be found again when that call changes."""


@dataclass(frozen=True)
class FinalCostChange:
    """Calls of an account whose cost was final, and is another one after a build."""

    vendor: str
    account: str
    calls: int
    old_currency: str | None
    old_cost: Decimal | None
    """The sum of them before; None: they had none."""
    new_currency: str | None
    new_cost: Decimal | None


@dataclass(frozen=True)
class StepCost:
    """What one step of a build cost: a model, a check, or what stands between them."""

    name: str
    """The file below the folder of models, or what the step does."""
    seconds: float
    cpu_seconds: float
    """Of all threads of the process."""
    rows: int | None
    """Rows that a model made; None for any other step."""


@dataclass(frozen=True)
class BuildResult:
    """What one build did."""

    reason: str | None
    """Why every record was rebuilt; None when only those that changed were."""
    rebuilt: Mapping[str, int]
    """Records rebuilt, by vendor."""
    rows: Mapping[str, int]
    """Rows written, by table."""
    checks: int
    seconds: float
    kept: Mapping[str, str] = field(default_factory=dict)
    """Vendors whose calls are as they were, and why they could not be built."""
    final_cost_changes: tuple[FinalCostChange, ...] = ()
    """Costs that were final and are others now."""
    costs: tuple[StepCost, ...] = ()
    """What each step cost, in the order of the build. A union is a view: what it reads
    counts where it is read."""

    @property
    def is_full(self) -> bool:
        """Return True if every record was rebuilt."""
        return self.reason is not None


class _Stopwatch:
    """Measures the steps of a build, each from the end of the one before."""

    def __init__(self) -> None:
        self.costs: list[StepCost] = []
        self._read = perf_counter(), process_time()

    def note(self, name: str, rows: int | None = None) -> None:
        """Say which step has ended now."""
        before, self._read = self._read, (perf_counter(), process_time())
        seconds, cpu = (
            now - then for now, then in zip(self._read, before, strict=True)
        )
        self.costs.append(StepCost(name, seconds, cpu, rows))


@dataclass
class _BuildContext:
    """What the models that ran so far have left."""

    raw: Raw
    watch: _Stopwatch
    is_full: bool
    kept: frozenset[str]
    """Vendors whose rows stay as they are: their raw files cannot be read."""
    relations: dict[str, str]
    """Where the relations are that are not stored tables."""
    rows: dict[str, int] = field(default_factory=dict)
    checks: int = 0
    days: str = "true"
    """The days that incremental marts compute again, as a condition."""
    loads: str = "true"
    """The loads that are not built yet, as a condition."""
    empty: frozenset[str] = frozenset()
    """Models that are not run: no call of their vendor is to rebuild."""
    made: Mapping[str, str] = field(default_factory=dict)
    """Where the rows of tables are that shards have made."""
    is_shard: bool = False
    """Whether the tables are checked later, with those of the other shards."""
    final_cost_changes: tuple[FinalCostChange, ...] = ()

    @property
    def connection(self) -> DuckDBPyConnection:
        return self.raw.connection

    @property
    def is_in_place(self) -> bool:
        """Whether tables are made where they stay: nothing of the old ones is kept."""
        return self.is_full and not self.kept

    @property
    def rebuilt(self) -> dict[str, str]:
        """Where to read the calls of this build only."""
        if self.is_in_place:
            return self.relations
        by_key = [one.table for one in self.raw.graph.models if one.kind == "call_key"]
        return self.relations | {name: _built(name) for name in by_key}


def build(
    place: Place,
    models: Path,
    raw_files: Mapping[str, Place],
    config: Mapping[str, pa.Table],
    *,
    full: bool = False,
    mended: str | None = None,
    unreadable: Collection[str] = (),
    forget_history: bool = False,
    again: Spans | None = None,
    split: Shards | None = None,
) -> BuildResult:
    """Bring the tables of ``place`` up to the raw files, or change nothing.

    ``config`` has the tables ``config.<name>``. The build is full if ``full``, if the
    file was repaired (``mended`` says why), if there were none, if models or ``config``
    differ from those of the last build (except ``config.run.now``), and if a built load
    is missing.

    A vendor keeps the calls it has, also in a full build, if it has no raw file, if
    its raw file lacks a load that was built, or if it is one of ``unreadable``. With
    ``forget_history`` the first two do not count: calls that are in no raw file are
    dropped. ``again`` says by vendor when the records began whose stored versions are
    not those of the last build any more, though no new load has changed them.
    ``split`` says from how many records on the calls are built in shards, and where;
    the rows are the same.

    Raises ModelError for an invalid model file, CheckFailed for rows that break
    a check, HistoryError for calls that cannot be kept, ShardError for a shard whose
    process ends again and again; all is then as it was.
    """
    if split:
        shards.clean(split.folder)
    try:
        return _build(
            *(place, models, raw_files, config),
            full=full,
            mended=mended,
            unreadable=unreadable,
            forget_history=forget_history,
            again=again or {},
            split=split,
        )
    finally:
        if split:
            shards.clean(split.folder)


def _build(
    place: Place,
    models: Path,
    raw_files: Mapping[str, Place],
    config: Mapping[str, pa.Table],
    *,
    full: bool,
    mended: str | None,
    unreadable: Collection[str],
    forget_history: bool,
    again: Spans,
    split: Shards | None,
) -> BuildResult:
    """Do what `build` says; the folder of shards is empty before, and not after."""
    started, watch = perf_counter(), _Stopwatch()
    graph = read_graph(models, config)
    stamp = build_state.fingerprint(graph, config)
    if isinstance(place, Path):
        place.parent.mkdir(parents=True, exist_ok=True)
    readable = {vendor for vendor, path in raw_files.items() if path.exists()}
    build_state.remove_other(place, readable, unreadable, forget_history=forget_history)
    with _opened(place) as connection:  # closing without a commit is the rollback
        raw = inputs.attach(connection, raw_files, graph)
        connection.begin()
        build_state.prepare(connection, graph)
        kept = build_state.vendors_without_file(raw)
        inputs.list_loads(raw)
        relations = inputs.unite_ledgers(raw)
        missing_loads = build_state.missing_loads(raw)
        cause = "asked for" if full else mended
        if forget_history:
            if forgotten := {*missing_loads, *kept} - {*unreadable}:
                cause = cause or f"history of {min(forgotten)} given up"
            kept -= forgotten
        else:
            raw, kept = raw.without(missing_loads), kept | {*missing_loads}
            inputs.list_loads(raw)
            relations = inputs.unite_ledgers(raw)
        relations |= inputs.make_config(raw, config)
        reason, new = build_state.compare(raw, stamp, cause)
        run = _BuildContext(raw, watch, reason is not None, kept, relations)
        watch.note("open the files")
        _run_all(run, new, again, partial(_spread, run, split, raw_files))
        if run.is_full:
            build_state.drop_others(connection, run.rows)
            data_dictionary.write_dictionary(connection, graph)
        _show_former_names(connection, graph)
        build_state.remember(connection, stamp, full=run.is_full, kept=kept)
        rebuilt = connection.execute(statement("records_by_vendor")).fetchall()
        if not isinstance(place, Path):
            place.sign(connection, "build")
        connection.commit()
        if isinstance(place, Path):
            connection.execute("checkpoint build")
    watch.note("commit")
    seconds = perf_counter() - started
    why_kept = {vendor: _why_kept(missing_loads.get(vendor)) for vendor in sorted(kept)}
    return BuildResult(
        *(reason, dict(rebuilt), run.rows, run.checks, seconds, why_kept),
        final_cost_changes=run.final_cost_changes,
        costs=tuple(watch.costs),
    )


@contextmanager
def _opened(place: Place, processes: int = 1) -> Iterator[DuckDBPyConnection]:
    """Open a place as the database ``build``, with the functions of the models."""
    options = {**settings_for(place), **build_settings(processes), **STORAGE}
    with closing(connect(settings=options)) as connection:
        connection.execute("set timezone = 'UTC'")
        functions.register(connection)
        attach(connection, place, "build")
        connection.execute("use build")
        yield connection


def _why_kept(missing_loads: int | None) -> str:
    if missing_loads is None:
        return "is not there"
    return f"lacks {missing_loads} of the loads that its calls were built from"


def build_shard(job: Job, number: int) -> ShardResult:
    """Build the tables of kind ``call_key`` of one shard, in a file of their own."""
    watch, file = _Stopwatch(), job.file(number)
    with _opened(file, job.side_by_side) as connection:
        # The file is read once: to compress it would take longer.
        connection.execute("set force_compression = 'uncompressed'")
        raw = inputs.attach(connection, job.raw_files, job.graph)
        inputs.list_loads(raw.without(raw.vendors))
        raw = shards.take_records(raw, job, number)
        relations = shards.take_inputs(connection, job)
        run = _BuildContext(
            raw,
            watch,
            is_full=True,
            kept=frozenset(),
            relations=relations,
            is_shard=True,
        )
        _fit_to_work(run)
        run.relations |= inputs.show_inputs(raw, ())
        connection.begin()
        models = for_calls(job.graph)
        for schema in sorted({one.schema for one in models} - {"staging"}):
            connection.execute(f"create schema if not exists {schema}")
        for model in models:
            if model.table not in run.empty:
                with _named(model):
                    _run(run, model)
        connection.commit()
        connection.execute("checkpoint build")
    watch.note("commit")
    seconds = sum(one.seconds for one in watch.costs)
    return ShardResult(
        number, file, seconds, sum(one.cpu_seconds for one in watch.costs)
    )


def _spread(
    run: _BuildContext, split: Shards | None, raw_files: Mapping[str, Place]
) -> None:
    """Have the tables of kind ``call_key`` made in shards, if there is enough to do."""
    planned = split and shards.plan(run.raw, run.relations, split, raw_files)
    if not split or not planned:
        return
    job, numbers = planned
    run.watch.note("divide the records into shards")
    results = [*split.spread(partial(build_shard, job), numbers)]
    shards.refuse_missing(numbers, results)
    files = [one.file for one in sorted(results, key=lambda one: one.number)]
    run.made = shards.put_together(run.connection, run.raw.graph.models, files)
    run.watch.note(f"wait for {len(files)} shards")
    run.watch.costs += [
        StepCost(f"shard {one.number}", one.seconds, one.cpu_seconds, None)
        for one in results
    ]


def _run_all(
    run: _BuildContext, new: Loads, again: Spans, spread: Callable[[], None]
) -> None:
    """Mark what must be rebuilt, run every model on it, and check the result."""
    graph = run.raw.graph
    first = before_records(graph)
    for model in first:
        with _named(model):
            _run(run, model)
    whole = _mark(run, new, again)
    _fit_to_work(run)
    run.watch.note("find what to rebuild")
    spread()
    is_read_once = bool(run.made)
    run.relations |= inputs.show_inputs(run.raw, whole, is_read_once=is_read_once)
    run.watch.note("read the records to rebuild")
    for model in beside_calls(graph) if run.made else graph.models:
        if model not in first and model.table not in run.empty:
            with _named(model):
                _run(run, model)
    for model in graph.checks:
        with _named(model):
            _run_check(run, model)
            run.watch.note(model.file)


def _fit_to_work(run: _BuildContext) -> None:
    """Leave out models that have nothing to do, and threads that would only wait."""
    calls = dict(run.connection.execute(statement("records_by_vendor")).fetchall())
    of_calls = run.raw.graph.of_calls
    idle = [models for vendor, models in of_calls.items() if vendor not in calls]
    run.empty = frozenset().union(*idle)
    if sum(calls.values()) < FEW:
        run.connection.execute("set threads = 1")


def _mark(run: _BuildContext, new: Loads, again: Spans) -> set[str]:
    """Mark all that must be rebuilt; return the vendors of which that is all."""
    raw = run.raw
    if run.is_full:
        inputs.mark_all(raw, raw.vendors)
        return {*raw.vendors}
    run.loads = _loads(new)
    whole = inputs.changed_registers(raw, run.relations, new)
    inputs.mark_all(raw, whole)
    inputs.mark_loaded(raw, new)
    inputs.mark_begun(raw, again)
    relations = run.relations | inputs.show_marked(raw)
    for model in rebuilds_in_turn(raw.graph):
        with _named(model):
            inputs.mark_asked(raw, model.bound(relations))
    inputs.mark_groups(raw)
    return whole


def _run(run: _BuildContext, model: Model) -> None:
    """Compute a model beside its table, check it there, and only then apply it."""
    is_whole = model.kind in {"table", "call_date"}
    sql = model.bound(run.relations if is_whole else run.rebuilt)
    if model.table in run.made:
        sql = f"from {run.made[model.table]}"
    if model.kind == "call_date" and not run.is_full:
        sql = f"from ({sql}\n) where {run.days}"
    if model.kind == "load_id":
        sql = f"from ({sql}\n) where {run.loads}"
    made = "table"
    if model.kind == "union":
        members = run.raw.graph.unions[model.table]
        made_of = [one for one in members if one.table not in run.empty]
        parts = {one.vendor: temporary(one.table) for one in made_of}
        made, sql = "view", input_sql.union(sql, parts)
    name = f"built.{model.table}" if model.is_stored else model.table
    # DuckDB 1.5 makes no view under a name that begins with temp.
    place, new = temporary(name), f'temp {made} "{name}"'
    if model.is_stored and run.is_in_place:
        place = _renamed(model.table)
        new = f"{made} {place}"
    run.connection.execute(f"create {new} as {sql}")
    rows = None
    if not (run.is_shard and model.is_stored):
        extra = [_STRANGE] if model.kind == "call_key" else []
        rows, checks = check_model(run.connection, model, place, extra)
        run.checks += checks
    if not model.is_stored:
        run.relations[name] = place
    else:
        if model.table == CALLS:
            run.final_cost_changes = _final_cost_changes(run, place)
            if not run.is_full:
                run.days = _days(run.connection)
        _apply(run, model, place)
        run.rows[model.table] = rows or 0
    run.watch.note(model.file, rows)


def _final_cost_changes(run: _BuildContext, built: str) -> tuple[FinalCostChange, ...]:
    """Return what was final in the stored calls and is another cost in those ``built``.

    A final cost may change, for a vendor may correct a charge, or the operator a rate
    card; the summary names it, so that it is never silent.
    """
    if _COSTS - {*build_state.columns_of(run.connection, CALLS)}:
        return ()
    sql = statement("final_cost_changes", table=CALLS, built=built)
    rows = run.connection.execute(sql).fetchall()
    return tuple(FinalCostChange(*row) for row in rows)


def _days(connection: DuckDBPyConnection) -> str:
    """Name the days on which the calls of this build lay and now lie."""
    sql = statement("days", built=_built(CALLS))
    found = {day for (day,) in connection.execute(sql).fetchall()}
    # Literals, because DuckDB does not push a subquery down to the scan.
    dates = ", ".join(f"date '{day}'" for day in sorted(found - {None}))
    conditions = [f"call_date in ({dates})"] if dates else []
    conditions += ["call_date is null"] if None in found else []
    return " or ".join(conditions) or "false"


def _loads(new: Loads) -> str:
    """Name loads as a condition; of the records to rebuild others are there, too."""
    ids: dict[str, set[str]] = {}
    for vendor, _, load_id in new:
        ids.setdefault(vendor, set()).add(load_id)
    conditions = [
        f"vendor = {quoted(vendor)} and load_id in ({listed(loads)})"
        for vendor, loads in sorted(ids.items())
    ]
    return " or ".join(conditions) or "false"


def _apply(run: _BuildContext, model: Model, built: str) -> None:
    """Put the rows of ``built`` into the table of a model, or in its place."""
    table = model.table
    execute = run.connection.execute
    if run.is_full:
        if run.is_in_place:
            execute(f"drop table if exists {table}")
            execute(f"alter table {built} rename to {model.name}")
        else:
            rows = build_state.take_over(run.connection, table, built, run.kept)
            execute(f"create or replace table {table} as {rows}")
        _comment(run.connection, model)
    else:
        spans = {"call_key": _OF_BUILD, "call_date": run.days, "load_id": run.loads}
        if model.kind == "table":
            kept = run.kept
            spans["table"] = build_state.replaced(run.connection, model, built, kept)
        condition = spans[model.kind]
        parts = {"condition": condition, "built": built}
        execute(statement("replace_rows", table=table, **parts))


def _comment(connection: DuckDBPyConnection, model: Model) -> None:
    """Store what a header says with the table itself."""
    table = model.table
    connection.execute(f"comment on table {table} is {quoted(model.sentence)}")
    for column in model.columns:
        text = quoted(column.comment)
        connection.execute(f'comment on column {table}."{column.name}" is {text}')


def _show_former_names(connection: DuckDBPyConnection, graph: Graph) -> None:
    """Make a view of each table under the names that it had."""
    for model in graph.models:
        for name in model.former_names:
            text = quoted(f"The former name of {model.table}, for one release.")
            connection.execute(f"create view {name} as from {model.table}")
            connection.execute(f"comment on view {name} is {text}")


def _run_check(run: _BuildContext, model: Model) -> None:
    """Run a ``*.check.sql``, over the calls of this build only where it can.

    A check that reads a mart by day must see the calls of the whole day.
    """
    by_day = {one.table for one in run.raw.graph.models if one.kind == "call_date"}
    reads_days = any(found.name in by_day for found in model.references)
    relations = run.relations if reads_days else run.rebuilt
    check_query(run.connection, model, model.bound(relations))
    run.checks += 1


@contextmanager
def _named(model: Model) -> Iterator[None]:
    """Add to an error of the database the file whose query it is about."""
    try:
        yield
    except duckdb.Error as error:
        error.add_note(f"in the model {model.file}")
        raise


def _built(table: str) -> str:
    return temporary(f"built.{table}")


def _renamed(table: str) -> str:
    """Return where a table is made that takes the place of ``table``."""
    schema, _, name = table.partition(".")
    return f'{schema}."{name}.new"'
