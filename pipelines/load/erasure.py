"""Erase what a vendor has erased about a person, in every version of the record.

A vendor either marks such a record, or only blanks its personal fields. The rest of a
version stays as it came, so that cost and outcome of the call stay known.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec
import pyarrow as pa

from pipelines.planning.stream import Stream

_Keys = dict[str, msgspec.Raw]
_NOTHING = msgspec.Raw(b"null")
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
        place = versions.schema.get_field_index("payload")
        column = pa.array(payloads, pa.string())
        return versions.set_column(place, versions.schema.field(place), column)

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
            return _replaced(self.stream, payload, {})
        if known in self.blanked:
            return _replaced(self.stream, payload, _keys(self.blanked[known]))
        return payload


def marked(stream: Stream, records: pa.Table) -> set[Known]:
    """Return the records of a table that are marked as depersonalised."""
    return {known for known, payload in _listed(records) if _is_marked(stream, payload)}


def blanked(stream: Stream, records: pa.Table) -> dict[Known, str]:
    """Return the payload of each record in which something personal is blank."""
    if not stream.personal:
        return {}
    return {
        known: payload
        for known, payload in _listed(records)
        if payload is not None and _blank(stream, _keys(payload))
    }


def _is_marked(stream: Stream, payload: str | None) -> bool:
    """Return True if the vendor says that it has depersonalised the record."""
    if not stream.erased_mark or payload is None:
        return False
    if not re.search(rf'"{stream.erased_mark}"\s*:\s*true', payload):
        return False
    return bytes(_keys(payload).get(stream.erased_mark, _NOTHING)) == b"true"


def _listed(records: pa.Table) -> Iterable[tuple[Known, str | None]]:
    columns = (records[c].to_pylist() for c in ("account", "record_id", "payload"))
    for account, record_id, payload in zip(*columns, strict=True):
        yield (account, record_id), payload


def _keys(payload: str) -> _Keys:
    return msgspec.json.decode(payload, type=_Keys)


def _blank(stream: Stream, keys: _Keys) -> set[str]:
    return {
        name for name in stream.personal if name in keys and bytes(keys[name]) in _BLANK
    }


def _replaced(stream: Stream, payload: str, newest: _Keys) -> str:
    """Replace the personal fields of a payload by those of the newest, or by null."""
    keys = _keys(payload)
    lost = {
        name
        for name in _blank(stream, newest)
        if bytes(keys.get(name, _NOTHING)) not in _BLANK
    }
    if newest and not lost:
        return payload
    wanted = {
        name: newest.get(name, _NOTHING) for name in stream.personal if name in keys
    }
    if all(bytes(keys[name]) == bytes(value) for name, value in wanted.items()):
        return payload
    return msgspec.json.encode(keys | wanted).decode()
