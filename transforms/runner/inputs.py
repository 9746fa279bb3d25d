"""What models see of the raw files: the calls that the last loads touched.

Everything made here is temporary: it stands in DuckDB's ``temp`` database under the
name that models use, as in ``temp."raw.zoom__voice_calls"``, and the file that is
built never holds it.
"""
# ruff: noqa: S608 -- what is spliced are names that model.py has checked

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
from duckdb import DuckDBPyConnection

from transforms.runner import input_sql
from transforms.runner.checks import quoted
from transforms.runner.graph import (
    DELETED,
    TOMBSTONES,
    VERSIONS,
    Graph,
    is_raw,
    raw_table,
)
from transforms.runner.graph import TOUCHED as TOUCHED_VERSIONS
from transforms.runner.model import NAME
from transforms.runner.parsing import ModelError

_RESERVED = {
    "build",
    "config",
    "inputs",
    "main",
    "memory",
    "ops",
    "raw",
    "seeds",
    "staging",
    "temp",
}

TOUCHED = 'temp."night.touched"'
"""Vendor, account, record_id and call_key of the records to compute."""


@dataclass(frozen=True)
class Raw:
    """The attached raw files, and which of their tables models read."""

    connection: DuckDBPyConnection
    graph: Graph
    vendors: tuple[str, ...]
    stored: frozenset[tuple[str, str]]
    """Vendor and table, of every table that there is."""


def temporary(name: str) -> str:
    """Return where the relation that models call ``name`` stands."""
    return f'temp."{name}"'


def attach(
    connection: DuckDBPyConnection, files: Mapping[str, Path], graph: Graph
) -> Raw:
    """Open, for reading, the raw file of every vendor that has one."""
    vendors = tuple(sorted(vendor for vendor in files if files[vendor].exists()))
    for vendor in vendors:
        if not NAME.fullmatch(vendor) or vendor in _RESERVED:
            raise ModelError(f"{vendor!r} cannot be a vendor's name; use a-z0-9")
        connection.execute(
            f'attach {quoted(str(files[vendor]))} as "{vendor}" (read_only)'
        )
    stored = connection.execute(
        "select database_name, table_name from duckdb_tables()"
        " where schema_name = 'raw'"
    ).fetchall()
    return Raw(connection, graph, vendors, frozenset(map(tuple, stored)))


def unite_ledgers(raw: Raw) -> dict[str, str]:
    """Make one relation of each vendor's ledgers; return where each stands."""
    for name, table in input_sql.LEDGERS.items():
        held = {
            vendor: _stored(vendor, table)
            for vendor in raw.vendors
            if (vendor, table) in raw.stored
        }
        raw.connection.execute(
            f'create temp table "{name}" as {input_sql.ledger(name, held)}'
        )
    return {name: temporary(name) for name in input_sql.LEDGERS}


def give(raw: Raw, context: Mapping[str, pa.Table]) -> dict[str, str]:
    """Make the tables ``config.<name>`` and ``seeds.<name>``; return where they are."""
    names: list[str] = []
    for name, table in context.items():
        names.append(f"config.{name}")
        raw.connection.register("given", table)
        raw.connection.execute(f'create temp table "{names[-1]}" as from given')
        raw.connection.unregister("given")
    for path in raw.graph.seeds:
        names.append(f"seeds.{path.stem}")
        raw.connection.execute(
            f'create temp table "{names[-1]}" as {input_sql.seed(path)}'
        )
    return {name: temporary(name) for name in names}


def load_ids(raw: Raw) -> dict[tuple[str, str], frozenset[str]]:
    """Return the loads whose rows are in each raw input, by vendor and table."""
    tables = (raw.graph.records | raw.graph.registers) & raw.stored
    return {
        (vendor, table): frozenset(
            row[0]
            for row in raw.connection.execute(
                f'select distinct _dlt_load_id from "{vendor}".raw."{table}"'
            ).fetchall()
        )
        for vendor, table in sorted(tables)
    }


def without(raw: Raw, vendors: Collection[str]) -> Raw:
    """Return the raw files as if some vendors had none."""
    return replace(
        raw,
        vendors=tuple(one for one in raw.vendors if one not in vendors),
        stored=frozenset(one for one in raw.stored if one[0] not in vendors),
    )


def listed_loads(raw: Raw, vendor: str) -> set[str]:
    """Return the loads that the loader wrote down in a vendor's raw file."""
    table = input_sql.LEDGERS["inputs.loads"]
    if (vendor, table) not in raw.stored:
        return set()
    found = raw.connection.execute(f"select load_id from {_stored(vendor, table)}")
    return {one for (one,) in found.fetchall()}


def changed_registers(
    raw: Raw, places: Mapping[str, str], new: Mapping[tuple[str, str], frozenset[str]]
) -> set[str]:
    """Return the vendors whose ``@reference`` models say other than before ``new``.

    A new version of an account is no news while what models make of it is the same.
    """
    changed: set[str] = set()
    for model in raw.graph.models:
        for vendor, table in (
            raw_table(one) for one in model.references if is_raw(one)
        ):
            ids = ", ".join(map(quoted, sorted(new.get((vendor, table), ()))))
            if not model.is_reference or not ids:
                continue
            rows = f'select {input_sql.NAMES} from "{vendor}".raw."{table}"'
            then, now = (temporary(f"{when}.{model.table}") for when in ("then", "now"))
            for view, only in (
                (then, f" where _dlt_load_id not in ({ids})"),
                (now, ""),
            ):
                raw.connection.execute(f"create temp view {view[5:]} as {rows}{only}")
            name = f"raw.{vendor}__{table}"
            before, after = (model.bound({**places, name: v}) for v in (then, now))
            (differing,) = raw.connection.execute(
                f"with before as ({before}\n), after as ({after}\n) select count(*)"
                " from ((from before except from after)"
                " union all (from after except from before))"
            ).fetchall()[0]
            if differing:
                changed.add(vendor)
    return changed


def touch_all(raw: Raw, vendors: Collection[str]) -> None:
    """Touch every record of ``vendors``."""
    for vendor, table in sorted(raw.graph.records & raw.stored):
        if vendor in vendors:
            _add(
                raw, vendor, f'select account, record_id from "{vendor}".raw."{table}"'
            )


def touch_loaded(raw: Raw, loads: Mapping[tuple[str, str], frozenset[str]]) -> None:
    """Touch the records that have a row from one of ``loads``, by vendor and table."""
    for (vendor, table), found in loads.items():
        if found and (vendor, table) in raw.graph.records:
            # Literals, because DuckDB does not push a subquery down to the scan.
            ids = ", ".join(map(quoted, sorted(found)))
            _add(
                raw,
                vendor,
                f'select account, record_id from "{vendor}".raw."{table}"'
                f" where _dlt_load_id in ({ids})",
            )


def touch_asked(raw: Raw, sql: str) -> None:
    """Touch the records that the query of a ``*.rebuild.sql`` returns.

    A vendor whose raw file is absent is left alone, for its calls could be deleted
    but not made again.
    """
    for vendor in raw.vendors:
        asked = f"select account, record_id from ({sql}\n) where vendor = '{vendor}'"
        _add(raw, vendor, asked)


def show_touched(raw: Raw) -> dict[str, str]:
    """Make one relation of all versions of what is touched; return where it stands.

    It has vendor, account, record_id and event_at, and grows as more is touched.
    """
    nothing = "vendor, account, record_id, null::timestamptz as event_at"
    versions = [f"select {nothing} from {TOUCHED} where false"]
    versions += [
        f"select '{vendor}' as vendor, account, record_id, event_at"
        f' from "{vendor}".raw."{table}"'
        f" semi join ({_touched(vendor)}) using (account, record_id)"
        for vendor, table in sorted(raw.graph.records & raw.stored)
    ]
    sql = " union all ".join(versions)
    raw.connection.execute(f'create temp view "{TOUCHED_VERSIONS}" as {sql}')
    return {TOUCHED_VERSIONS: temporary(TOUCHED_VERSIONS)}


def touch_together(raw: Raw) -> None:
    """Touch, with each record, all that its model's ``@together`` holds with it."""
    for model in raw.graph.models:
        tables = {raw_table(found) for found in model.references if is_raw(found)}
        for vendor, table in sorted(tables & raw.graph.records & raw.stored):
            for expression in model.together:
                held = (
                    f"(select account, record_id, ({expression}) as held_together"
                    f' from "{vendor}".raw."{table}")'
                )
                groups = (
                    f"(select distinct account, held_together from {held} semi join"
                    f" ({_touched(vendor)}) using (account, record_id))"
                )
                # A record that moved is in two groups, so those it brings may bring
                # others: go on until none comes.
                while _add(
                    raw,
                    vendor,
                    f"select account, record_id from {held}"
                    f" semi join {groups} using (account, held_together)",
                ):
                    pass


def show_inputs(raw: Raw, whole: frozenset[str]) -> dict[str, str]:
    """Make the raw inputs of all models; return where each stands.

    They have every version of the touched records; of the vendors in ``whole``, and
    of reference tables, every row. That a record vanished is in none of its versions,
    but in ``inputs.deleted``.
    """
    places = {DELETED: _show_vanished(raw), TOMBSTONES: _show_tombstones(raw)}
    for vendor, table in sorted(raw.graph.records | raw.graph.registers):
        name = f"raw.{vendor}__{table}"
        places[name] = temporary(name)
        stored = _stored(vendor, table)
        is_there = (vendor, table) in raw.stored
        rows = input_sql.versions(stored if is_there else None)
        if not is_there:
            raw.connection.execute(f'create temp table "{name}" as {rows}')
        elif vendor in whole or (vendor, table) in raw.graph.registers:
            raw.connection.execute(f'create temp view "{name}" as {rows}')
        else:
            only = f" semi join ({_touched(vendor)}) using (account, record_id)"
            bounds = _bounds(raw, f"from {stored}{only}")
            raw.connection.execute(
                f'create temp table "{name}" as {rows}{only} where {bounds}'
            )
    all_of = {
        (vendor, table): places[f"raw.{vendor}__{table}"]
        for vendor, table in sorted(raw.graph.records)
    }
    raw.connection.execute(
        f'create temp view "{VERSIONS}" as {input_sql.every_version(all_of)}'
    )
    return places | {VERSIONS: temporary(VERSIONS)}


def _show_vanished(raw: Raw) -> str:
    """Make one relation of the touched records whose last version has no payload."""
    gone = [
        f"from ({input_sql.gone(vendor, _stored(vendor, table))})"
        f" semi join ({_touched(vendor)}) using (account, record_id)"
        for vendor, table in sorted(raw.graph.records & raw.stored)
    ]
    raw.connection.execute(
        f'create temp table "{DELETED}" as {input_sql.vanished(gone)}'
    )
    return temporary(DELETED)


def _show_tombstones(raw: Raw) -> str:
    """Make one relation of the versions without a payload of the touched records."""
    found = {
        (vendor, table): f"(from {_stored(vendor, table)}"
        f" semi join ({_touched(vendor)}) using (account, record_id))"
        for vendor, table in sorted(raw.graph.records & raw.stored)
    }
    raw.connection.execute(
        f'create temp table "{TOMBSTONES}" as {input_sql.tombstones(found)}'
    )
    return temporary(TOMBSTONES)


def _bounds(raw: Raw, touched: str) -> str:
    """Bound the touched records in time, reading their keys only.

    The literals let the scan that reads payloads skip all other row groups.
    """
    low, high = raw.connection.execute(
        f"select min(event_at)::varchar, max(event_at)::varchar {touched}"
    ).fetchall()[0]
    if low is None:
        return "false"
    return f"event_at between timestamptz '{low}' and timestamptz '{high}'"


def _stored(vendor: str, table: str) -> str:
    return f'"{vendor}".raw."{table}"'


def _touched(vendor: str) -> str:
    return f"select account, record_id from {TOUCHED} where vendor = '{vendor}'"


def _add(raw: Raw, vendor: str, records: str) -> int:
    """Touch the records of a query, each once; return how many are new."""
    added = raw.connection.execute(
        f"insert into {TOUCHED}"
        f" select distinct '{vendor}' as vendor, account, record_id,"
        f" '{vendor}:' || account || ':' || record_id as call_key from ({records})"
        f" anti join ({_touched(vendor)}) using (account, record_id)"
    ).fetchone()
    return int(added[0]) if added else 0
