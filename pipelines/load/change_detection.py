"""Which records of a load differ from what is stored; only these are stored."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.load import erasure
from pipelines.load.accounting import Accounts
from pipelines.load.erasure import Erased, Known, with_payloads
from pipelines.load.suppression import ERASED, Suppression
from pipelines.planning.reasons import BEGUN
from pipelines.planning.stream import Stream
from pipelines.sources import streams_of
from pipelines.warehouse.records import (
    Compared,
    Flags,
    Keys,
    compared,
    in_quarantine,
    stored_marks,
    stored_versions,
)
from transforms.runner.storage import Place


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
    new: int = 0
    """Of the changed records those that were not stored before."""
    restored: int = 0
    """Records that were deleted and are listed again."""
    same: dict[str, list[Keys]] = field(default_factory=dict)
    """By table: the records that came unchanged, and are not stored again."""
    seen: dict[str, dict[int, int]] = field(default_factory=dict)
    """By table: of each record of this package the hash of its last version, by the
    hash of its account and id."""
    unreadable: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """Why each record new in quarantine is there, by account, stream and payload."""
    cleaned: set[tuple[str, str, str]] = field(default_factory=set)
    """Records whose stored versions this package replaces, so that it does it once."""
    suppressed: set[Known] = field(default_factory=set)
    """Records of this package, in any table, that are of somebody who is erased."""
    is_closed: bool = False
    """All records of this package were counted."""


def watch(
    source: Any,  # noqa: ANN401
    suppression: Suppression,
    raw: Place,
    tally: Tally,
    leaves_old: Callable[..., None],
) -> None:
    """Count the records of a source, and leave out those that are unchanged.

    What is erased is left out as well. ``leaves_old`` is called before a package is
    stored if erased values stay in bytes of the file; with ``is_whole`` if they stay in
    stored versions. The rows of the ledger are kept back until `closed_ledger` returns
    them.
    """
    vendor = suppression.vendor
    erasing = _Erasing(suppression, raw, tally, leaves_old)

    def ledger(rows: pa.Table) -> pa.Table | None:
        if tally.is_closed:
            return rows
        tally.accounts.hold(rows)
        return None  # dlt goes on without it

    for stream in {stream.table: stream for stream in streams_of(vendor)}.values():
        if stream.table in source.resources:
            source.resources[stream.table].add_map(_only_changes(stream, erasing))
    source.resources["load_windows"].add_map(ledger)
    source.resources["quarantine"].add_map(_new_in_quarantine(erasing))


@dataclass(frozen=True)
class _Erasing:
    """What is needed to keep erased values out of a package."""

    suppression: Suppression
    raw: Place
    tally: Tally
    leaves_old: Callable[..., None]

    def suppressed(self, stream: Stream, fresh: pa.Table) -> pa.Table:
        """Return records without those who are erased, now or in a stored version."""
        if not self.suppression or not fresh.num_rows:
            return fresh
        rows, found = fresh.to_pylist(), self.tally.suppressed
        tables = {one.table for one in streams_of(self.suppression.vendor)}
        stored = [
            stored_marks(self.raw, table, ERASED, fresh)
            for table in tables
            if self.suppression.has_list
        ]
        was_erased = {known for marks in stored for known in marks if marks[known]}
        is_plain = {known for marks in stored for known in marks if not marks[known]}
        payloads = []
        for row in rows:
            known, payload = (row["account"], row["record_id"]), row["payload"]
            if known in was_erased or self.suppression.concerns(known, payload):
                found.add(known)
            if known in found:
                payload = self.suppression.erased(stream, known, payload)
                if known in is_plain - was_erased:
                    self.leaves_old(is_whole=True)
            else:
                payload = self.suppression.aged(stream, row["event_at"], payload)
            payloads.append(payload)
        return with_payloads(fresh, payloads)

    def unreadable(self, fresh: pa.Table) -> pa.Table:
        """Return records for the quarantine without those who are erased."""
        if not self.suppression or not fresh.num_rows:
            return fresh
        streams = streams_of(self.suppression.vendor)
        payloads = [
            self.suppression.unreadable(
                [one for one in streams if one.name == row["stream"]],
                row["account"],
                row["payload"],
            )
            for row in fresh.to_pylist()
        ]
        return with_payloads(fresh, payloads)


def closed_ledger(vendor: str, tally: Tally) -> list[dict[str, Any]]:
    """Return the rows of the ledger, now that all records of the package are counted.

    A window of which a record is unaccounted for is not complete.
    """
    tables = {stream.name: stream.table for stream in streams_of(vendor)}
    rows = list(tally.accounts.closed(tables.__getitem__))
    tally.ledger += [
        row for row in rows if not row["split_of"] and row["reason"] != BEGUN
    ]
    tally.is_closed = True
    return rows


def _new_in_quarantine(erasing: _Erasing) -> Callable[[pa.Table], pa.Table]:
    """Note unreadable records that are new in quarantine; all of them are stored."""
    raw, tally = erasing.raw, erasing.tally

    def note(fresh: pa.Table) -> pa.Table:
        fresh = erasing.unreadable(fresh)
        known = in_quarantine(raw, fresh) if fresh.num_rows else set()
        for row in fresh.to_pylist():
            one = row["account"], row["stream"], row["payload"]
            if one not in known:
                tally.unreadable[one] = row["reason"]
        tally.accounts.add_unreadable(fresh)
        _measure(fresh, tally)
        return fresh

    return note


def _only_changes(stream: Stream, erasing: _Erasing) -> Callable[[pa.Table], pa.Table]:
    raw, tally = erasing.raw, erasing.tally

    def keep(fresh: pa.Table) -> pa.Table:
        fresh = erasing.suppressed(stream, fresh)
        found = compared(raw, stream.table, fresh)
        lost = _marked(stream, raw, fresh, found)
        if lost:
            fresh = Erased(stream, lost, {}).applied(fresh)
            found = compared(raw, stream.table, fresh)
        tally.same.setdefault(stream.table, []).append(found.key[found.is_same])
        is_kept = _is_change(found, tally.seen.setdefault(stream.table, {}), tally)
        changes = fresh.filter(pa.array(is_kept))
        tally.changed += changes.num_rows
        tally.accounts.add(stream.table, fresh, changes)
        # Only of these there are stored versions that may have what is blank by now.
        again = fresh.filter(pa.array(is_kept & ~found.is_new))
        blanked = erasure.blanked(stream, again)
        by_vendor = {one: blanked[one] for one in blanked.keys() - tally.suppressed}
        erased = Erased(stream, lost, by_vendor)
        cleaned = _older_ones_cleaned(erased, raw, tally, fresh)
        if cleaned.num_rows:
            erasing.leaves_old()
        stored = pa.concat_tables([changes, cleaned])
        _measure(stored, tally)
        return stored

    return keep


def _is_change(found: Compared, seen: dict[int, int], tally: Tally) -> Flags:
    """Say which records differ from their last version, in this package or stored."""
    is_change, is_first = ~found.is_same, np.ones(len(found.key), bool)
    pairs = zip(found.key.tolist(), found.version.tolist(), strict=True)
    for position, (key, version) in enumerate(pairs):
        if key in seen:
            is_first[position] = False
            is_change[position] = seen[key] != version
        seen[key] = version
    tally.new += int(np.sum(is_first & found.is_new))
    tally.restored += int(np.sum(is_first & found.was_deleted))
    return is_change


def _measure(stored: pa.Table, tally: Tally) -> None:
    tally.bytes += stored.nbytes
    largest = pc.max(pc.binary_length(stored["payload"])).as_py()
    tally.largest = max(tally.largest, largest or 0)


def _marked(
    stream: Stream, raw: Place, fresh: pa.Table, found: Compared
) -> frozenset[Known]:
    """Return the records that are marked as erased, now or in a stored version.

    One that came as it is stored is not looked up again: it was when it was stored.
    """
    now = erasure.marked(stream, fresh)
    others = fresh.filter(pa.array(~(found.is_same | found.is_new)))
    if not stream.erased_mark or not others.num_rows:
        return frozenset(now)
    stored = stored_marks(raw, stream.table, stream.erased_mark, others)
    return frozenset(now | {known for known, is_marked in stored.items() if is_marked})


def _older_ones_cleaned(
    erased: Erased, raw: Place, tally: Tally, fresh: pa.Table
) -> pa.Table:
    """Return stored versions without what was erased, to replace the stored ones."""
    table = erased.stream.table
    suspects = {one for one in erased.suspects if (table, *one) not in tally.cleaned}
    tally.cleaned |= {(table, *one) for one in suspects}
    stored = stored_versions(raw, table, fresh, suspects) if suspects else None
    if stored is None:
        return fresh.slice(0, 0)
    return erased.changed(stored).cast(fresh.schema)
