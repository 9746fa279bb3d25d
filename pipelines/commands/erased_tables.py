"""Built files without those who are erased, where no raw file can make a row anew.

That is a snapshot, and the build file's calls of a vendor whose raw file is gone.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa

from pipelines.load.suppression import Suppression
from pipelines.sources import streams_of
from pipelines.warehouse.locks import tell
from pipelines.warehouse.opening import (
    PUBLISHED_FILE,
    FileError,
    FileKind,
    log_of,
    private,
    read,
    refusing,
)
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.publish import flush
from pipelines.warehouse.queries import query
from pipelines.warehouse.rewriting import copy_database
from transforms.runner.storage import connect

Suppressions: TypeAlias = Mapping[str, Suppression]
"""By vendor."""
GONE = "erased"
"""Stands for a text where a table must have one."""
PERSONAL: Mapping[str, Mapping[str, str]] = {
    "main.fact_calls": {
        **dict.fromkeys(("customer_number", "country"), "null"),
        "customer_number_kind": "if(call_key in (from removed), 'removed', null)",
        "is_erased": "is_erased or call_key not in (from removed)",
    },
    "main.fact_call_legs": {
        **dict.fromkeys(("from_party", "to_party"), "null"),
        "party_name": "case when role = 'agent' then party_name end",
    },
    # Which of a vendor's own fields are personal is not known here.
    "main.fact_call_attributes": {"value": f"'{GONE}'"},
    "ops.call_changes": {
        **dict.fromkeys(("old", "new"), "null"),
        "is_withheld": "true",
    },
    "ops.unmapped_values_by_call": {"value": f"'{GONE}'"},
}
"""By table of calls: the columns that may name the customer, and what they become."""

_OF_ERASED = duckdb.SQLExpression("call_key in (select erased.call_key from erased)")


def erased_calls(published: Path) -> dict[str, bool]:
    """Return the keys of calls without personal data; True: they were only too old."""
    with read(published, PUBLISHED_FILE) as file:
        return dict(file.execute(query("published/erased_keys")).fetchall())


def clear_tables(
    path: Path, kind: FileKind, calls: Mapping[str, bool], suppressions: Suppressions
) -> None:
    """Take those who are erased out of a built file; their bytes stay in its blocks.

    ``calls`` are those of `erased_calls`, ``suppressions`` find others.
    """
    with refusing(path, kind), connect(path) as file:
        _register(file, {**calls, **dict.fromkeys(_found(file, suppressions), False)})
        for table, values in PERSONAL.items():
            own = values.keys() & _columns(file, table)
            texts = {name: duckdb.SQLExpression(values[name]) for name in own}
            if texts:
                file.table(table).update(texts, condition=_OF_ERASED)
        _clear_texts(file, suppressions)
        file.execute("checkpoint")


def _register(file: duckdb.DuckDBPyConnection, calls: Mapping[str, bool]) -> None:
    """Make the tables ``erased`` and ``removed`` of keys; the second is a part."""
    removed = [key for key in calls if calls[key]]
    for name, keys in (("erased", [*calls]), ("removed", removed)):
        file.register(name, pa.table({"call_key": pa.array(keys, pa.string())}))


def clear_snapshots(
    warehouse: Warehouse,
    calls: Mapping[str, bool],
    suppressions: Suppressions,
    *,
    is_whole: bool,
) -> None:
    """Take those who are erased out of every byte of the snapshots.

    One that cannot be rewritten is deleted. Unless ``is_whole``, one that has no value
    of the erased ``calls`` stays as it is.
    """
    _work_file(warehouse).unlink(missing_ok=True)  # of a process that was killed
    for snapshot in sorted(warehouse.snapshots.glob("calls-until-*.duckdb")):
        log_of(snapshot).unlink(missing_ok=True)  # of a client; in no backup
        try:
            if is_whole or _has_values(snapshot, calls):
                _rewrite(snapshot, warehouse, calls, suppressions)
        except (FileError, duckdb.Error) as error:
            snapshot.unlink()
            tell(f"{snapshot} cannot be rewritten, so it is deleted: {error}")
    for left in warehouse.snapshots.glob("*.incoming*"):
        left.unlink()


def _rewrite(
    snapshot: Path,
    warehouse: Warehouse,
    calls: Mapping[str, bool],
    suppressions: Suppressions,
) -> None:
    work, mode = _work_file(warehouse), snapshot.stat().st_mode & 0o777
    incoming = snapshot.with_name(f"{snapshot.name}.incoming")
    try:
        with private():
            log_of(work).unlink(missing_ok=True)
            shutil.copyfile(snapshot, work)
            clear_tables(work, PUBLISHED_FILE, calls, suppressions)
            copy_database(work, incoming, PUBLISHED_FILE)
        incoming.chmod(mode)
        incoming.replace(snapshot)
        flush(snapshot.parent)
    finally:
        work.unlink(missing_ok=True)


def _work_file(warehouse: Warehouse) -> Path:
    return warehouse.privacy / "snapshot.duckdb"


def _has_values(snapshot: Path, calls: Mapping[str, bool]) -> bool:
    """Return True if a snapshot has a value of an erased call."""
    with read(snapshot, PUBLISHED_FILE) as file:
        _register(file, calls)
        for table, values in PERSONAL.items():
            named = [*values.keys() & _columns(file, table) - {"is_erased"}]
            if not named:
                continue
            others = [f"{name} is distinct from ({values[name]})" for name in named]
            parts = {"built_table": table, "differences": " or ".join(others)}
            if file.execute(query("published/has_values").format(**parts)).fetchone():
                return True
    return False


def _found(file: duckdb.DuckDBPyConnection, suppressions: Suppressions) -> set[str]:
    """Return the keys of the calls in which somebody stands who is erased."""
    found: set[str] = set()
    for key, party in _parties(file):
        vendor, account, call_id = key.split(":", 2)
        own = suppressions.get(vendor)
        if own is None or key in found:
            continue
        if own.has_call((account, call_id)) or (party and own.has_text(account, party)):
            found.add(key)
    return found


def _parties(file: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str | None]]:
    """Yield each call's key, with every text of it that may name the customer."""
    for table, values in PERSONAL.items():
        there = _columns(file, table)
        for name in values.keys() & there - {"is_erased", "is_withheld"}:
            yield from file.table(table).project(f"call_key, {name}").fetchall()


def _clear_texts(file: duckdb.DuckDBPyConnection, suppressions: Suppressions) -> None:
    """Take erased persons out of the texts that belong to no call."""

    def unreadable(vendor: str, account: str, stream: str, payload: str) -> str:
        own = suppressions.get(vendor)
        if own is None:
            return payload
        streams = [one for one in streams_of(vendor) if one.name == stream]
        return own.unreadable(streams, account, payload)

    def unmapped(vendor: str, value: str) -> str:
        own = suppressions.get(vendor)
        return GONE if own is not None and own.has_text("", value) else value

    quarantine = ("vendor", "account", "stream", "payload")
    _replace_texts(file, "ops.quarantine", quarantine, unreadable)
    _replace_texts(file, "ops.unmapped_values", ("vendor", "value"), unmapped)


def _replace_texts(
    file: duckdb.DuckDBPyConnection,
    table: str,
    columns: tuple[str, ...],
    text_of: Callable[..., str],
) -> None:
    """Replace the last of some columns by what ``text_of`` makes of all of them."""
    if not {*columns} <= _columns(file, table):
        return
    rows = file.table(table).project(", ".join(("rowid", *columns))).fetchall()
    changed: list[dict[str, Any]] = [
        {"row_id": row, "text": text_of(*values)}
        for row, *values in rows
        if values[-1] is not None and text_of(*values) != values[-1]
    ]
    if changed:
        file.register("changed", pa.Table.from_pylist(changed))
        sql = query("published/erase_texts")
        file.execute(sql.format(built_table=table, named_column=columns[-1]))


def _columns(file: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    file.execute("set variable named = $1", [table])
    return {name for (name,) in file.execute(query("published/columns")).fetchall()}
