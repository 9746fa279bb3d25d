"""What models see of the raw files: the records to rebuild.

Everything made here is temporary: it is in DuckDB's ``temp`` database under the name
that models use, as in ``temp."raw.zoom__voice_calls"``, and never in the built file.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

import pyarrow as pa
from duckdb import DuckDBPyConnection

from transforms.runner import input_sql
from transforms.runner.graph import (
    DELETED,
    ERASED,
    REBUILD,
    TOMBSTONES,
    VERSIONS,
    Graph,
    feeds_calls,
    is_raw,
    raw_table,
)
from transforms.runner.model import NAME
from transforms.runner.parsing import ModelError
from transforms.runner.statements import (
    listed,
    quoted,
    select,
    statement,
    stored,
    temporary,
)
from transforms.runner.storage import Place
from transforms.runner.storage import attach as attach_place

_RESERVED = {"build", "config", "inputs", "main", "memory", "ops", "raw", "seeds"}
_RESERVED |= {"staging", "temp"}
RECORDS = temporary("run.records")
"""Vendor, account, record_id and call_key of the records to rebuild."""
Loads: TypeAlias = frozenset[tuple[str, str, str]]
"""Vendor, table and load id."""
Spans: TypeAlias = Mapping[str, tuple[datetime, datetime]]
"""From when until when, by vendor."""


@dataclass(frozen=True)
class Raw:
    """The attached raw files, and which of their tables models read."""

    connection: DuckDBPyConnection
    graph: Graph
    vendors: tuple[str, ...]
    stored: frozenset[tuple[str, str]]
    """Vendor and table, of every table that there is."""
    bounds: Mapping[str, str] = field(default_factory=dict)
    """Conditions by vendor that all versions of the records to rebuild meet."""

    def versions(self, tables: Collection[tuple[str, str]]) -> str:
        """Return every version in those of ``tables`` that are stored."""
        there = sorted(self.stored.intersection(tables))
        return input_sql.stored({one: self._bounded(*one) for one in there})

    def _bounded(self, vendor: str, table: str) -> str:
        place, bounds = stored(vendor, table), self.bounds.get(vendor)
        return select("bounded", table=place, bounds=bounds) if bounds else place

    def without(self, vendors: Collection[str]) -> "Raw":
        """Return the raw files as if some vendors had none."""
        return replace(
            self,
            vendors=tuple(one for one in self.vendors if one not in vendors),
            stored=frozenset(one for one in self.stored if one[0] not in vendors),
        )


def attach(
    connection: DuckDBPyConnection, files: Mapping[str, Place], graph: Graph
) -> Raw:
    """Open, for reading, the raw file of every vendor that has one."""
    vendors = tuple(sorted(vendor for vendor in files if files[vendor].exists()))
    for vendor in vendors:
        if not NAME.fullmatch(vendor) or vendor in _RESERVED:
            raise ModelError(f"{vendor!r} cannot be a vendor's name; use a-z0-9")
        attach_place(connection, files[vendor], f'"{vendor}"', read_only=True)
    tables = connection.execute(statement("raw_tables")).fetchall()
    return Raw(connection, graph, vendors, frozenset(map(tuple, tables)))


def unite_ledgers(raw: Raw) -> dict[str, str]:
    """Make one relation of each vendor's ledgers; return where each is."""
    for name, table in input_sql.LEDGERS.items():
        places = {
            vendor: stored(vendor, table)
            for vendor in raw.vendors
            if (vendor, table) in raw.stored
        }
        rows = input_sql.ledger(name, places)
        raw.connection.execute(f'create or replace temp table "{name}" as {rows}')
    return {name: temporary(name) for name in input_sql.LEDGERS}


def make_config(raw: Raw, config: Mapping[str, pa.Table]) -> dict[str, str]:
    """Make the tables ``config.<name>`` and ``seeds.<name>``; return where they are."""
    execute = raw.connection.execute
    for name, table in config.items():
        raw.connection.register("_config", table)
        execute(f'create temp table "config.{name}" as from _config')
        raw.connection.unregister("_config")
    for path in raw.graph.seeds:
        rows = input_sql.seed(path)
        execute(f'create temp table "seeds.{path.stem}" as from {rows}')
    names = [f"config.{name}" for name in config]
    names += [f"seeds.{path.stem}" for path in raw.graph.seeds]
    return {name: temporary(name) for name in names}


def list_loads(raw: Raw) -> None:
    """Make the tables of the loads that have rows, and of the records to rebuild."""
    tables = raw.graph.records | raw.graph.registers
    sql = statement("rebuild_tables", stored=raw.versions(tables))
    raw.connection.execute(sql)


def changed_registers(raw: Raw, places: Mapping[str, str], new: Loads) -> set[str]:
    """Return the vendors whose ``@reference`` models give other rows after ``new``.

    A new version of an account changes nothing while what models make of it is equal,
    nor where no call is made of it.
    """
    changed: set[str] = set()
    for model in raw.graph.models:
        for vendor, table in map(raw_table, filter(is_raw, model.references)):
            ids = [load for *of, load in new if of == [vendor, table]]
            if not model.is_reference or not ids or not feeds_calls(raw.graph, model):
                continue
            name, place = f"raw.{vendor}__{table}", stored(vendor, table)
            older = f"_dlt_load_id not in ({listed(ids)})"
            before = {**places, name: input_sql.versions(place, older)}
            after = {**places, name: input_sql.versions(place)}
            sql = statement(
                "difference",
                before=f"({model.bound(before)}\n)",
                after=f"({model.bound(after)}\n)",
            )
            if raw.connection.execute(sql).fetchall() != [(0,)]:
                changed.add(vendor)
    return changed


def mark_all(raw: Raw, vendors: Collection[str]) -> None:
    """Mark every record of ``vendors``."""
    _mark(raw.without({*raw.vendors} - {*vendors}), raw.versions(raw.graph.records))


def mark_loaded(raw: Raw, new: Loads) -> None:
    """Mark the records that have a version from one of the ``new`` loads."""
    for vendor, table in sorted(raw.graph.records & raw.stored):
        ids = listed(load for *of, load in new if of == [vendor, table])
        if ids != "null":
            versions = raw.versions({(vendor, table)})
            _mark(raw, select("new_records", stored=versions, load_ids=ids))


def mark_begun(raw: Raw, spans: Spans) -> None:
    """Mark the records of ``spans`` that began in them."""
    for vendor, (start, end) in spans.items():
        own = raw.without({*raw.vendors} - {vendor})
        parts = {"start_at": f"'{start.isoformat()}'", "end_at": f"'{end.isoformat()}'"}
        versions = own.versions(raw.graph.records)
        _mark(own, select("begun_records", stored=versions, **parts))


def mark_asked(raw: Raw, sql: str) -> None:
    """Mark the records that the query of a ``*.rebuild.sql`` returns.

    A vendor whose raw file is absent is left alone, for its calls could be deleted
    but not made again.
    """
    _mark(raw, f"({sql}\n)")


def mark_groups(raw: Raw) -> None:
    """Mark, with each record, all of its rebuild group, the ``@rebuild_group``."""
    for model in raw.graph.models:
        tables = set(map(raw_table, filter(is_raw, model.references)))
        for vendor, table in sorted(tables & raw.graph.records & raw.stored):
            for expression in model.rebuild_groups:
                group = select(
                    "rebuild_group",
                    vendor=quoted(vendor),
                    expression=expression,
                    table=stored(vendor, table),
                )
                # A record that moved is in two groups, so those it brings may bring
                # others: go on until none comes.
                while _mark(raw, group):
                    pass


def show_marked(raw: Raw) -> dict[str, str]:
    """Make ``inputs.rebuild``, which grows while records are marked."""
    marked = select("marked", stored=raw.versions(raw.graph.records))
    versions = statement("rebuild_versions", marked=marked)
    raw.connection.execute(f'create temp view "{REBUILD}" as {versions}')
    return {REBUILD: temporary(REBUILD)}


def show_inputs(
    raw: Raw, whole: Collection[str], *, is_read_once: bool = False
) -> dict[str, str]:
    """Make the raw inputs of all models; return where each is.

    They have every version of the records to rebuild; of the vendors in ``whole``, and
    of reference tables, every row. That a record was deleted is in none of its
    versions, but in ``inputs.deleted``. What ``is_read_once`` at most is not stored
    for it.
    """
    execute = raw.connection.execute
    marked = select("marked", stored=raw.versions(raw.graph.records))
    places: dict[str, str] = {}
    found = (DELETED, ERASED, TOMBSTONES)
    kept = "view" if is_read_once else "table"
    for name in found:
        rows = statement(name.removeprefix("inputs."), stored=marked)
        execute(f'create temp {kept} "{name}" as {rows}')
    for vendor, table in sorted(raw.graph.records | raw.graph.registers):
        name, place = f"raw.{vendor}__{table}", stored(vendor, table)
        if (vendor, table) not in raw.stored:
            made, rows = "table", input_sql.versions(None)
        elif vendor in whole or (vendor, table) in raw.graph.registers:
            made, rows = "view", input_sql.versions(place)
        else:
            some = select("marked", stored=raw.versions({(vendor, table)}))
            made, rows = kept, input_sql.versions(some, _bounds(raw, some))
        execute(f'create temp {made} "{name}" as {rows}')
        places[name] = temporary(name)
    records = {one: temporary(f"raw.{one[0]}__{one[1]}") for one in raw.graph.records}
    execute(f'create temp view "{VERSIONS}" as {input_sql.stored(records)}')
    return places | {name: temporary(name) for name in (*found, VERSIONS)}


def _bounds(raw: Raw, records: str) -> str:
    """Bound the records to rebuild in time, reading their keys only.

    The literals let the scan that reads payloads skip all other row groups.
    """
    ((low, high),) = raw.connection.execute(
        statement("bounds", table=records)
    ).fetchall()
    if low is None:
        return "false"
    return f"event_at between timestamptz '{low}' and timestamptz '{high}'"


def _mark(raw: Raw, records: str) -> int:
    """Mark the records of a query, each once; return how many are new."""
    sql = statement("rebuild", records=records, vendors=listed(raw.vendors))
    ((added,),) = raw.connection.execute(sql).fetchall()
    return int(added)
