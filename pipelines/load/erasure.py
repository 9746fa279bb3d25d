"""Erase what a vendor has erased about a person, in every version of the record.

A vendor either marks such a record, or only blanks its personal fields. The rest of a
version stays as it came, so that cost and outcome of the call stay known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.load import personal
from pipelines.load.personal import NOTHING, Keys, keys_of, personal_keys
from pipelines.planning.stream import Stream

_BLANK = {b"null", b'""'}
Known = tuple[str, str]
"""Account and record id."""


@dataclass(frozen=True)
class Erased:
    """Which records of a stream lose their personal fields, and how."""

    stream: Stream
    marked: frozenset[Known]
    """They keep no personal field, not even in a version that comes later."""
    blanked: Mapping[Known, str]
    """The newest payload of a record: what is blank in it becomes blank in all."""

    @property
    def suspects(self) -> set[Known]:
        """Return the records whose older versions may have erased fields."""
        return {*self.marked, *self.blanked}

    def applied(self, versions: pa.Table) -> pa.Table:
        """Return all versions, without what was erased."""
        if not self.suspects:
            return versions
        payloads = [self._clean(row) for row in versions.to_pylist()]
        return with_payloads(versions, payloads)

    def changed(self, versions: pa.Table) -> pa.Table:
        """Return only the versions that had something to erase, without it."""
        clean = self.applied(versions)
        pairs = zip(clean["payload"], versions["payload"], strict=True)
        return clean.filter(pa.array([new != old for new, old in pairs], pa.bool_()))

    def _clean(self, row: Mapping[str, object]) -> str | None:
        known, payload = (str(row["account"]), str(row["record_id"])), row["payload"]
        if not isinstance(payload, str):
            return None
        if known in self.marked:
            return personal.blanked(payload, self.stream.personal)
        if known in self.blanked:
            return _replaced(self.stream, payload, keys_of(self.blanked[known]))
        return payload


def with_payloads(records: pa.Table, payloads: Sequence[str | None]) -> pa.Table:
    """Return records with other payloads."""
    place = records.schema.get_field_index("payload")
    column = pa.array(payloads, pa.string())
    return records.set_column(place, records.schema.field(place), column)


def marked(stream: Stream, records: pa.Table) -> set[Known]:
    """Return the records of a table that are marked as depersonalised."""
    if not stream.erased_mark:
        return set()
    written = rf'"{stream.erased_mark}"\s*:\s*true'
    likely = records.filter(pc.match_substring_regex(records["payload"], written))
    return {known for known, payload in _listed(likely) if _is_marked(stream, payload)}


def blanked(stream: Stream, records: pa.Table) -> dict[Known, str]:
    """Return the payload of each record in which something personal is blank."""
    if not stream.is_erased_by_blanking:
        return {}
    return {
        known: payload
        for known, payload in _listed(records)
        if payload is not None and _blank(stream, keys_of(payload))
    }


def _is_marked(stream: Stream, payload: str | None) -> bool:
    """Return True if the vendor says that it has depersonalised the record."""
    keys = {} if payload is None else keys_of(payload)
    return bytes(keys.get(stream.erased_mark, NOTHING)) == b"true"


def _listed(records: pa.Table) -> Iterable[tuple[Known, str | None]]:
    columns = (records[c].to_pylist() for c in ("account", "record_id", "payload"))
    for account, record_id, payload in zip(*columns, strict=True):
        yield (account, record_id), payload


def _names(stream: Stream) -> set[str]:
    """Return the keys of the record itself that are personal, or have one within."""
    return {one.names[0] for one in personal_keys(stream.personal)}


def _blank(stream: Stream, keys: Keys) -> set[str]:
    found = _names(stream) & keys.keys()
    return {name for name in found if bytes(keys[name]) in _BLANK}


def _replaced(stream: Stream, payload: str, newest: Keys) -> str:
    """Replace what the newest version lost in a payload by what that one has."""
    keys = keys_of(payload)
    lost = {
        name
        for name in _blank(stream, newest)
        if bytes(keys.get(name, NOTHING)) not in _BLANK
    }
    if not lost:
        return payload
    wanted = {
        name: newest.get(name, NOTHING) for name in _names(stream) if name in keys
    }
    if all(bytes(keys[name]) == bytes(value) for name, value in wanted.items()):
        return payload
    return msgspec.json.encode(keys | wanted).decode()
