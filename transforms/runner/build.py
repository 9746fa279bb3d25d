"""The night: touched calls through all models, their checks, in one transaction."""
# ruff: noqa: S608 -- what is spliced are names that model.py has checked

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection

from transforms.runner import build_state, data_dictionary, functions, input_sql, inputs
from transforms.runner.checks import Check, check_model, check_query, quoted
from transforms.runner.graph import (
    CALLS,
    Graph,
    given_only,
    read_graph,
    rebuilds_in_turn,
)
from transforms.runner.inputs import TOUCHED, Raw, temporary
from transforms.runner.memory import build_settings
from transforms.runner.model import Column, Model
from transforms.runner.storage import STORAGE

_STRANGE = Check(
    "a call of this build",
    f"call_key not in (select call_key from {TOUCHED})",
    (),
)
"""A row of another call could not be found again when that call changes."""


@dataclass(frozen=True)
class BuildResult:
    """What one build did."""

    reason: str | None
    """Why every call was computed again; None when only the touched ones were."""
    touched: Mapping[str, int]
    """Records computed again, by vendor."""
    rows: Mapping[str, int]
    """Rows written, by table."""
    checks: int
    seconds: float
    kept: Mapping[str, str] = field(default_factory=dict)
    """Vendors whose calls are as they were, and why they could not be built."""

    @property
    def is_full(self) -> bool:
        """Return True if every call was computed again."""
        return self.reason is not None


@dataclass
class _Night:
    """What the models that ran so far have left."""

    raw: Raw
    is_full: bool
    kept: frozenset[str]
    """Vendors whose rows stay as they are: their raw files are not to be had."""
    places: dict[str, str]
    """Where the relations are that are not stored tables."""
    rows: dict[str, int] = field(default_factory=dict)
    checks: int = 0
    days: str = "true"
    """The days that incremental marts compute again, as a condition."""

    @property
    def connection(self) -> DuckDBPyConnection:
        return self.raw.connection

    @property
    def rebuilt(self) -> dict[str, str]:
        """Where to read the calls of this build only."""
        by_key = [one.table for one in self.raw.graph.models if one.kind == "call_key"]
        return self.places | {name: _built(name) for name in by_key}


def build(
    build_file: Path,
    models: Path,
    raw_files: Mapping[str, Path],
    context: Mapping[str, pa.Table],
    *,
    full: bool = False,
    mended: str | None = None,
    unreadable: Collection[str] = (),
    forget_history: bool = False,
) -> BuildResult:
    """Bring the tables of ``build_file`` up to what the raw files hold, or fail whole.

    ``context`` gives the tables ``config.<name>``. The build is full when asked for,
    when the file was ``mended``, when there was none, when models or ``context``
    differ from the last one's (except ``config.run.now``), and when a built load
    has vanished.

    A vendor keeps the calls it has, also in a full build, if it has no raw file, if
    its raw file lacks a load that was built, or if it is one of ``unreadable``. With
    ``forget_history`` the first two count for nothing: what the raw files have is all.

    Raises ModelError for a file that cannot be right, CheckFailed for rows that break
    a check, HistoryError for calls that cannot be kept; the file is then as it was.
    """
    started = perf_counter()
    graph = read_graph(models, context)
    stamp = build_state.fingerprint(graph, context)
    build_file.parent.mkdir(parents=True, exist_ok=True)
    build_state.remove_other(build_file, unreadable)
    spill: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": f"{build_file}.tmp",
        **build_settings(),
        **STORAGE,
    }
    # Closing without a commit is the rollback.
    with closing(duckdb.connect(config=spill)) as connection:
        connection.execute("set timezone = 'UTC'")
        functions.register(connection)
        connection.execute(f"attach {quoted(str(build_file))} as build; use build")
        raw = inputs.attach(connection, raw_files, graph)
        connection.begin()
        build_state.prepare(connection, graph)
        loads = inputs.load_ids(raw)
        lacking = build_state.lacking(raw, loads)
        kept = build_state.kept_of(raw)
        cause = "asked for" if full else mended
        if forget_history:
            forgotten = {*lacking, *kept} - {*unreadable}
            if forgotten:
                cause = cause or f"history of {min(forgotten)} given up"
            kept -= forgotten
        else:
            raw = inputs.without(raw, lacking)
            loads = inputs.load_ids(raw)
            kept |= {*lacking}
        places = inputs.unite_ledgers(raw) | inputs.give(raw, context)
        reason, new = build_state.recall(raw, loads, stamp, cause)
        night = _Night(raw, bool(reason), kept, places)
        first = given_only(graph)
        for model in first:
            with _named(model):
                _run(night, model)
        whole = _touch(raw, places, reason, new)
        places |= inputs.show_inputs(raw, whole)
        for model in graph.models:
            if model not in first:
                with _named(model):
                    _run(night, model)
        for model in graph.checks:
            with _named(model):
                _run_check(night, model)
        if reason:
            build_state.drop_others(connection, night.rows)
            _describe(connection, graph)
        _show_former_names(connection, graph)
        build_state.remember(connection, loads, stamp, full=bool(reason), kept=kept)
        touched = connection.execute(
            f"select vendor, count(*) from {TOUCHED} group by all order by all"
        ).fetchall()
        connection.commit()
        connection.execute("checkpoint build")
    seconds = perf_counter() - started
    because = {
        vendor: f"lacks {lacking[vendor]} of the loads that its calls were built from"
        if vendor in lacking
        else "is not there"
        for vendor in sorted(kept)
    }
    return BuildResult(
        reason, dict(touched), night.rows, night.checks, seconds, because
    )


def _touch(
    raw: Raw, places: Mapping[str, str], reason: str | None, new: build_state.Loads
) -> frozenset[str]:
    """Touch all that must be computed; return the vendors of which that is all."""
    raw.connection.execute(
        f"create temp table {TOUCHED[5:]}"
        " (vendor text, account text, record_id text, call_key text)"
    )
    changed = inputs.changed_registers(raw, places, new)
    whole = frozenset(raw.vendors if reason else changed)
    inputs.touch_all(raw, whole)
    if not reason:
        inputs.touch_loaded(raw, new)
        places = {**places, **inputs.show_touched(raw)}
        for model in rebuilds_in_turn(raw.graph):
            with _named(model):
                inputs.touch_asked(raw, model.bound(places))
        inputs.touch_together(raw)
    return whole


def _run(night: _Night, model: Model) -> None:
    """Compute a model beside its table, check it there, and only then apply it."""
    is_whole = model.kind in {"table", "call_date"}
    sql = model.bound(night.places if is_whole else night.rebuilt)
    if model.kind == "call_date" and not night.is_full:
        sql = f"select * from ({sql}\n) where {night.days}"
    made = "table"
    if model.kind == "union":
        members = night.raw.graph.unions[model.table]
        parts = {one.vendor: temporary(one.table) for one in members}
        made, sql = "view", input_sql.union(sql, parts)
    name = f"night.{model.table}" if model.is_stored else model.table
    night.connection.execute(f'create temp {made} "{name}" as {sql}')
    extra = [_STRANGE] if model.kind == "call_key" else []
    night.checks += check_model(night.connection, model, temporary(name), extra)
    if not model.is_stored:
        night.places[name] = temporary(name)
        return
    if model.table == CALLS and not night.is_full:
        night.days = _days(night.connection)
    _apply(night, model)


def _days(connection: DuckDBPyConnection) -> str:
    """Name the days on which the calls of this build lay and now lie."""
    found = connection.execute(
        f"select call_date::varchar from {CALLS} semi join {TOUCHED} using (call_key)"
        f" union select call_date::varchar from {_built(CALLS)}"
    ).fetchall()
    # Literals, because DuckDB does not push a subquery down to the scan.
    dates = ", ".join(sorted(f"date '{day}'" for (day,) in found if day))
    conditions = [f"call_date in ({dates})"] if dates else []
    if (None,) in found:
        conditions.append("call_date is null")
    return " or ".join(conditions) or "false"


def _apply(night: _Night, model: Model) -> None:
    table, built = model.table, _built(model.table)
    execute = night.connection.execute
    if night.is_full or model.kind == "table":
        rows = build_state.take_over(night.connection, table, built, night.kept)
        execute(f"create or replace table {table} as {rows}")
        _comment(night.connection, table, model.sentence, model.columns)
    else:
        by_key = f"call_key in (select call_key from {TOUCHED})"
        condition = by_key if model.kind == "call_key" else night.days
        execute(f"delete from {table} where {condition}")
        execute(f"insert into {table} by name from {built}")
    counted = execute(f"select count(*) from {built}").fetchall()
    night.rows[table] = counted[0][0]


def _comment(
    connection: DuckDBPyConnection,
    table: str,
    sentence: str,
    columns: Iterable[Column],
) -> None:
    """Store what a header says with the table itself."""
    connection.execute(f"comment on table {table} is {quoted(sentence)}")
    for column in columns:
        said = quoted(column.comment)
        connection.execute(f'comment on column {table}."{column.name}" is {said}')


def _describe(connection: DuckDBPyConnection, graph: Graph) -> None:
    """Write the data dictionary, which has comments of its own."""
    data_dictionary.write_dictionary(connection, graph)
    _comment(
        connection,
        data_dictionary.TABLE,
        data_dictionary.SENTENCE,
        data_dictionary.COLUMNS,
    )


def _show_former_names(connection: DuckDBPyConnection, graph: Graph) -> None:
    """Make a view of each table under the names that it had."""
    for model in graph.models:
        for name in model.former_names:
            said = quoted(f"The former name of {model.table}, for one release.")
            connection.execute(f"create view {name} as from {model.table}")
            connection.execute(f"comment on view {name} is {said}")


def _run_check(night: _Night, model: Model) -> None:
    """Run a ``*.check.sql``, over the calls of this build only where it can.

    A check that reads a mart by day must see the calls of the whole day.
    """
    by_day = {one.table for one in night.raw.graph.models if one.kind == "call_date"}
    reads_days = any(found.name in by_day for found in model.references)
    places = night.places if reads_days else night.rebuilt
    check_query(night.connection, model, model.bound(places))
    night.checks += 1


@contextmanager
def _named(model: Model) -> Iterator[None]:
    """Add to an error of the database the file whose query it is about."""
    try:
        yield
    except duckdb.Error as error:
        error.add_note(f"in the model {model.file}")
        raise


def _built(table: str) -> str:
    return temporary(f"night.{table}")
