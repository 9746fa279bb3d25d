"""Which records of a load differ from what is stored; only these are stored."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.load import erasure
from pipelines.load.accounting import Accounts
from pipelines.load.erasure import Erased, Known
from pipelines.planning.reasons import BEGUN
from pipelines.planning.stream import Stream
from pipelines.sources import streams_of
from pipelines.warehouse.records import (
    Compared,
    Keys,
    compared,
    in_quarantine,
    stored_marks,
    stored_versions,
)


@dataclass
class Tally:
    """What is counted while dlt takes the records of a load package."""

    ledger: list[dict[str, Any]] = field(default_factory=list)
    accounts: Accounts = field(default_factory=Accounts)
    """What became of each record; shared by the packages of a run."""
    bytes: int = 0
    """Size of the tables that are stored, older versions of records included."""
    largest: int = 0
    """Bytes of the largest record among them."""
    changed: int = 0
    restored: int = 0
    """Records that were deleted and are listed again."""
    same: dict[str, list[Keys]] = field(default_factory=dict)
    """By table: the records that came unchanged, and are not stored again."""
    seen: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """Digest of each record of this package, by table, account and record id."""
    unreadable: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """Why each record new in quarantine is there, by account, stream and payload."""
    cleaned: set[tuple[str, str, str]] = field(default_factory=set)
    """Records whose stored versions this package replaces, so that it does it once."""


def watch(source: Any, vendor: str, raw: Path, tally: Tally) -> None:  # noqa: ANN401
    """Count the records of a source, and leave out those that are unchanged.

    The rows of the ledger are kept back; `closed_ledger` returns them.
    """
    for stream in {stream.table: stream for stream in streams_of(vendor)}.values():
        if stream.table in source.resources:
            source.resources[stream.table].add_map(_only_changes(stream, raw, tally))
    source.resources["load_windows"].add_map(tally.accounts.hold)
    source.resources["quarantine"].add_map(_new_in_quarantine(raw, tally))


def closed_ledger(vendor: str, tally: Tally) -> list[dict[str, Any]]:
    """Return the rows of the ledger, now that all records of the package are counted.

    A window of which a record is unaccounted for is not complete.
    """
    tables = {stream.name: stream.table for stream in streams_of(vendor)}
    rows = list(tally.accounts.closed(tables.__getitem__))
    tally.ledger += [
        row for row in rows if not row["split_of"] and row["reason"] != BEGUN
    ]
    return rows


def _new_in_quarantine(raw: Path, tally: Tally) -> Callable[[pa.Table], pa.Table]:
    """Note unreadable records that are new in quarantine; all of them are stored."""

    def note(fresh: pa.Table) -> pa.Table:
        known = in_quarantine(raw, fresh) if fresh.num_rows else set()
        for row in fresh.to_pylist():
            one = row["account"], row["stream"], row["payload"]
            if one not in known:
                tally.unreadable[one] = row["reason"]
        tally.accounts.add_unreadable(fresh)
        _measure(fresh, tally)
        return fresh

    return note


def _only_changes(
    stream: Stream, raw: Path, tally: Tally
) -> Callable[[pa.Table], pa.Table]:
    def keep(fresh: pa.Table) -> pa.Table:
        lost = _marked(stream, raw, fresh)
        fresh = Erased(stream, lost, {}).applied(fresh)
        found = compared(raw, stream.table, fresh)
        tally.same.setdefault(stream.table, []).append(found.same)
        changes = _changes(fresh, stream.table, found, tally)
        tally.changed += changes.num_rows
        tally.accounts.add(stream.table, fresh, changes)
        erased = Erased(stream, lost, erasure.blanked(stream, changes))
        cleaned = _older_ones_cleaned(erased, raw, tally, fresh)
        stored = pa.concat_tables([changes, cleaned])
        _measure(stored, tally)
        return stored

    return keep


def _measure(stored: pa.Table, tally: Tally) -> None:
    tally.bytes += stored.nbytes
    lengths = [len(text or "") for text in stored["payload"].to_pylist()]
    tally.largest = max([tally.largest, *lengths])


def _marked(stream: Stream, raw: Path, fresh: pa.Table) -> frozenset[Known]:
    """Return the records that are marked as erased, now or in a stored version."""
    if not stream.erased_mark or not fresh.num_rows:
        return frozenset()
    marked = erasure.marked(stream, fresh) | stored_marks(raw, stream, fresh)
    return frozenset(marked)


def _older_ones_cleaned(
    erased: Erased, raw: Path, tally: Tally, fresh: pa.Table
) -> pa.Table:
    """Return stored versions without what was erased, to replace the stored ones."""
    table = erased.stream.table
    suspects = {one for one in erased.suspects if (table, *one) not in tally.cleaned}
    tally.cleaned |= {(table, *one) for one in suspects}
    stored = stored_versions(raw, erased.stream, fresh, suspects) if suspects else None
    if stored is None:
        return fresh.slice(0, 0)
    return erased.changed(stored).cast(fresh.schema)


def _changes(fresh: pa.Table, table: str, found: Compared, tally: Tally) -> pa.Table:
    """Keep records that differ from their last version, in this package or stored."""
    changes = []
    columns = (fresh[name].to_pylist() for name in ("account", "record_id", "payload"))
    for position, (account, record_id, payload) in enumerate(
        zip(*columns, strict=True)
    ):
        key, digest = (table, account, record_id), hash(payload)
        if key in tally.seen:
            is_new = tally.seen[key] != digest
        else:
            is_new = position in found.differing
            tally.restored += position in found.restored
        tally.seen[key] = digest
        if is_new:
            changes.append(position)
    return fresh.take(pa.array(changes, pa.int64()))
