"""Blank values of a record, a JSON text, and leave all its other bytes as they came."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

import msgspec

Keys: TypeAlias = dict[str, msgspec.Raw]
Matches: TypeAlias = Callable[[str], bool]
"""Whether a text, a number's digits among them, is of somebody who is erased."""
NOTHING = msgspec.Raw(b"null")
ANY = "*"
"""As the last name of a key: every key there, whatever its name."""
DEEPEST = 60
"""Values nested deeper than this are looked at as one text."""


@dataclass(frozen=True)
class PersonalKey:
    """One of `Stream.personal`: a key within lists and objects, and its exception."""

    names: tuple[str, ...]
    beside: str = ""
    """The key beside it that decides; "": it is always personal."""
    kept_for: frozenset[str] = frozenset()
    """Its values, in lower case, with which the key is not the customer's."""
    others: frozenset[str] = frozenset()
    """Of `ANY`: the keys that are not personal."""
    kept_texts: tuple[str, ...] = ()
    """Texts, in lower case, that stay; of one that ends with … what is before that."""
    ours: str = ""
    """A regular expression of values that are the business's own, whatever the case."""

    def names_key(self, name: str) -> bool:
        """Return True if it begins with the key ``name``."""
        first = self.names[0]
        return first == name or (first == ANY and name not in self.others)

    def is_of_customer(self, keys: Mapping[str, msgspec.Raw]) -> bool:
        """Return False if a key beside it says that it is not the customer's."""
        found = keys.get(self.beside, NOTHING)
        return not self.beside or _text(found).casefold() not in self.kept_for

    def blank(self, value: msgspec.Raw) -> msgspec.Raw:
        """Return what stays of a value: all if it is ours, a text to keep, or null."""
        if bytes(value) == b"null":
            return value
        if self.ours and re.fullmatch(self.ours, _text(value), re.IGNORECASE):
            return value
        text = _text(value).strip().casefold() if self.kept_texts else ""
        stays = [
            kept
            for one in self.kept_texts
            if text == (kept := one.removesuffix(" …"))
            or (one != kept and text.startswith(f"{kept} "))
        ]
        left = max(stays, key=len, default=None)
        if left is None or left == _text(value):
            return NOTHING if left is None else value
        return msgspec.Raw(msgspec.json.encode(left))


@cache
def personal_keys(personal: tuple[str, ...]) -> tuple[PersonalKey, ...]:
    """Return the keys that `Stream.personal` names."""
    return tuple(map(_personal_key, personal))


def _personal_key(text: str) -> PersonalKey:
    text, _, ours = text.partition(" but for ")
    text, _, texts = text.partition(" keeping ")
    text, _, others = text.partition(" except ")
    path, _, exception = text.partition(" unless ")
    beside, _, values = exception.partition("=")
    return PersonalKey(
        tuple(path.split(".")),
        beside,
        kept_for=frozenset(values.casefold().split("|")),
        others=frozenset(others.split("|")),
        kept_texts=tuple(texts.casefold().split("|")) if texts else (),
        ours=ours,
    )


def keys_of(payload: str) -> Keys:
    """Return the keys of a record, and the bytes of each value."""
    return msgspec.json.decode(payload, type=Keys)


def blanked(
    payload: str,
    personal: tuple[str, ...],
    matches: Matches | None = None,
    kept: Collection[str] = (),
) -> str:
    """Return a record with null for its personal keys, and for what ``matches``.

    ``kept`` are keys of the record itself that stay whatever is in them. A record
    without anything to blank is returned as it is.
    """
    whole = msgspec.Raw(payload.strip().encode())
    found = _Blanking(matches, frozenset(kept)).object(whole, personal_keys(personal))
    return payload if found is whole else bytes(found).decode()


def texts_of(payload: str) -> list[str]:
    """Return every text, number and key in a record, each as a text."""
    found: list[str] = []
    try:
        left = [msgspec.json.decode(payload)]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return [_unescaped(payload)]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            found += value
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif isinstance(value, float):
            found.append(f"{value:.0f}")
        elif value is not None and not isinstance(value, bool):
            found.append(str(value))
    return found


@dataclass(frozen=True)
class _Blanking:
    matches: Matches | None
    kept: frozenset[str]

    def object(
        self, raw: msgspec.Raw, personal: Collection[PersonalKey], depth: int = 0
    ) -> msgspec.Raw:
        """Return an object; the same one if there is nothing to blank in it."""
        keys = msgspec.json.decode(raw, type=Keys)
        clean: Keys = {}
        for name, value in keys.items():
            own = [one for one in personal if one.names_key(name)]
            if self.matches is not None and self.matches(name):
                continue
            clean[name] = self._value(keys, value, own, depth)
            if depth == 0 and name in self.kept:
                clean[name] = value
        if clean.keys() == keys.keys() and all(clean[n] is keys[n] for n in keys):
            return raw
        return msgspec.Raw(msgspec.json.encode(clean))

    def _value(
        self,
        beside: Keys,
        value: msgspec.Raw,
        personal: Collection[PersonalKey],
        depth: int,
    ) -> msgspec.Raw:
        for one in personal:
            if len(one.names) == 1 and one.is_of_customer(beside):
                return one.blank(value)
        within = [
            replace(one, names=one.names[1:]) for one in personal if len(one.names) > 1
        ]
        return self._inside(value, within, depth + 1)

    def _inside(
        self, value: msgspec.Raw, personal: Collection[PersonalKey], depth: int
    ) -> msgspec.Raw:
        kind = bytes(value)[:1]
        if not personal and self.matches is None:
            return value
        if kind in {b"{", b"["} and depth <= DEEPEST:
            if kind == b"{":
                return self.object(value, personal, depth)
            parts = msgspec.json.decode(value, type=list[msgspec.Raw])
            clean = [self._inside(one, personal, depth + 1) for one in parts]
            if all(new is old for new, old in zip(clean, parts, strict=True)):
                return value
            return msgspec.Raw(msgspec.json.encode(clean))
        return NOTHING if self._is_personal(value, personal) else value

    def _is_personal(
        self, value: msgspec.Raw, personal: Collection[PersonalKey]
    ) -> bool:
        """Return True if a value without keys of its own is to be blanked."""
        text = bytes(value)
        if text != b"null" and any(one.names[0] == ANY for one in personal):
            return True
        if personal and text.startswith(
            b'"'
        ):  # a text where a list or an object is due
            return True
        if self.matches is None or text in {b"null", b"true", b"false"}:
            return False
        return any(map(self.matches, _texts(value)))


def _texts(value: msgspec.Raw) -> list[str]:
    """Return a leaf as the texts in which a number may be found."""
    return [_text(value), *texts_of(bytes(value).decode())]


def _text(value: msgspec.Raw) -> str:
    text = bytes(value).decode()
    if not text.startswith('"'):
        return text
    try:
        return msgspec.json.decode(value, type=str)
    except (msgspec.MsgspecError, ValueError):  # half of a pair of surrogates
        return _unescaped(text)


def _unescaped(text: str) -> str:
    """Return a text that is not JSON with the characters that it may escape."""
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda one: chr(int(one[1], 16)), text)
