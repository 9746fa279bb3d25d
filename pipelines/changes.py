"""What two versions of a record have otherwise, without what must not be told again."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

ABSENT = "absent"
"""Stands for a field that a version does not have."""
HIDDEN = "hidden"
"""Stands for a value that was erased, or that the vendor no longer tells."""

EMPTY = frozenset({ABSENT, "null", '""'})
_PLACE = re.compile(r"\[\d+\]")
_LENGTH = re.compile(r"(\d+) entries")
"""No JSON, so that no value of a vendor's is taken for it."""
_Flat: TypeAlias = Mapping[str, str]
"""By path: a value without parts as JSON, and at [] the length of a list."""


@dataclass(frozen=True)
class Change:
    """One field that differs; values are JSON, each in its vendor's own digits."""

    field: str
    """Its path, as in ``calls[0].cost``."""
    old: str
    new: str


def changes(
    old: str, new: str, newest: str, *, is_erased: bool = False
) -> tuple[Change, ...]:
    """Return the fields in which two payloads differ, in the order of the record.

    A value is told only where the ``newest`` payload has one in that field, and of a
    record that was erased only where it has that very one. Of a list that became
    shorter only the length is told: what left it stands nowhere now.
    """
    before, after, last = map(_flat, (old, new, newest))
    shorter = [
        f"{field.removesuffix('[]')}["
        for field in before
        if _length(before, field) > _length(after, field)
    ]
    return tuple(
        Change(field, *(_told(field, one, last, is_erased) for one in (before, after)))
        for field in {**after, **before}
        if before.get(field) != after.get(field)
        and (field.endswith("[]") or not field.startswith(tuple(shorter)))
    )


def _told(field: str, values: _Flat, last: _Flat, is_erased: bool) -> str:  # noqa: FBT001
    value, now = (one.get(field, ABSENT) for one in (values, last))
    if value in EMPTY or _LENGTH.fullmatch(value):
        return value
    lists = [field[: one.start()] + "[]" for one in _PLACE.finditer(field)]
    has_left = any(_length(values, one) > _length(last, one) for one in lists)
    is_kept = value == now if is_erased else now not in EMPTY
    return HIDDEN if has_left or not is_kept else value


def _length(values: _Flat, field: str) -> int:
    found = _LENGTH.fullmatch(values.get(field, ""))
    return int(found[1]) if found else 0


def _flat(payload: str) -> _Flat:
    leaves = _leaves(json.loads(payload, parse_float=Decimal), "")
    return {_encodable(path): _encodable(value) for path, value in leaves}


def _encodable(text: str) -> str:
    """Spell out halves of a pair of surrogates, which no encoding has."""
    return text.encode("utf-8", "backslashreplace").decode()


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and (value or not path):
        for key, part in value.items():
            yield from _leaves(part, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        yield f"{path}[]", f"{len(value)} entries"
        for place, part in enumerate(value):
            yield from _leaves(part, f"{path}[{place}]")
    else:
        yield path, _written(value)


def _written(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False)
