"""The suppression list as a load applies it: who stays erased, whatever a vendor sends.

A record in which an erased number or name stands, or whose call is erased, loses all
its personal keys and every other value with the number or name in it, and gets the mark
`ERASED`. The same bytes always give the same bytes, so a record that is read again is
not a new version of it. A record older than ``[privacy] raw_days`` loses its personal
keys alone, and gets the same mark with another value.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache, lru_cache

import msgspec

from pipelines.config.model import Vendor
from pipelines.config.privacy import Privacy, mac_key
from pipelines.load.erasure import Known
from pipelines.load.personal import Matches, blanked, keys_of, texts_of
from pipelines.load.written_forms import forms_in, names_in
from pipelines.planning.stream import Stream
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.suppression_list import (
    CALL,
    GONE,
    NAME,
    NUMBER,
    PAYLOAD,
    SuppressionList,
    read_list,
    removed_before,
)

ERASED = "callhouse_erased"
"""The key that is true in a record that was erased here, and ``"age"`` in one that was
too old; ``inputs.erased`` reads it."""
_MARKED = f'"{ERASED}":true'
SHORT = 100
"""Characters of a text that is remembered; others would take too much memory."""
_TRUE, _AGE = msgspec.Raw(b"true"), msgspec.Raw(b'"age"')


class Suppression:
    """Who is erased of one vendor's calls, and which of them are too old."""

    def __init__(
        self,
        vendor: str,
        listed: SuppressionList | None = None,
        regions: Mapping[str, str | None] | None = None,
        before: datetime | None = None,
        elsewhere: str | None = None,
    ) -> None:
        """Take the list, or None where nobody was ever erased; regions by account.

        Calls ``before`` a time are too old. ``elsewhere`` is the region of an account
        that has none.
        """
        self.vendor = vendor
        self.before = before
        self._listed = listed
        self._regions = regions or {}
        self._elsewhere = elsewhere
        self._matches = cache(self._matches_of)

    def __bool__(self) -> bool:
        """Return True if something may be to erase."""
        return self.has_list or self.before is not None

    @property
    def has_list(self) -> bool:
        """Return True if anybody was ever erased in this warehouse."""
        return self._listed is not None

    def with_list(
        self, listed: SuppressionList, elsewhere: str | None = None
    ) -> "Suppression":
        """Return who is erased of the same vendor by another list.

        ``elsewhere`` is the region of an account that has none.
        """
        regions = self._regions
        return Suppression(self.vendor, listed, regions, elsewhere=elsewhere)

    def concerns(self, known: Known, payload: str) -> bool:
        """Return True if a record is of somebody who is erased."""
        matches = self._matches(self._region(known[0]))
        return self.has_call(known) or any(map(matches, texts_of(payload)))

    def has_call(self, known: Known) -> bool:
        """Return True if a call was erased by its key."""
        listed = self._listed
        return listed is not None and listed.has(CALL, ":".join((self.vendor, *known)))

    def erased(self, stream: Stream, known: Known, payload: str) -> str:
        """Return a record of somebody who is erased, without them and with the mark."""
        matches = self._matches(self._region(known[0]))
        clean = blanked(payload, stream.personal, matches, _kept(stream))
        if is_marked(clean):
            return clean
        return msgspec.json.encode(keys_of(clean) | {ERASED: _TRUE}).decode()

    def aged(self, stream: Stream, event_at: datetime, payload: str) -> str:
        """Return a record, without its personal keys and marked if it is too old."""
        if self.before is None or not stream.personal or event_at >= self.before:
            return payload
        clean = blanked(payload, stream.personal, kept=_kept(stream))
        keys = keys_of(clean)
        if ERASED in keys:
            return clean
        return msgspec.json.encode(keys | {ERASED: _AGE}).decode()

    def unreadable(self, streams: Iterable[Stream], account: str, payload: str) -> str:
        """Return a payload in quarantine, or what stands for it if it is erased.

        ``streams`` are those from which it came.
        """
        if self._listed is None or payload.startswith(GONE):
            return payload
        matches = self._matches(self._region(account))
        ids = filter(None, (_identity(one, payload) for one in streams))
        is_erased = any(self.has_call((account, one)) for one in ids)
        if is_erased or any(map(matches, texts_of(payload))):
            return f"{GONE}{self._listed.mac(PAYLOAD, payload)}"
        return payload

    def has_text(self, account: str, text: str) -> bool:
        """Return True if an erased number or name stands in a text of an account."""
        return self._matches(self._region(account))(text)

    def _region(self, account: str) -> str | None:
        return self._regions.get(account) or self._elsewhere

    def _matches_of(self, region: str | None) -> Matches:
        listed = self._listed
        if listed is None:
            return lambda _: False
        is_listed = lru_cache(maxsize=65_536)(listed.has)

        def searched(text: str) -> bool:
            return (
                bool(listed.numbers)
                and any(is_listed(NUMBER, one) for one in forms_in(text, region))
            ) or (
                bool(listed.names)
                and any(is_listed(NAME, one) for one in names_in(text))
            )

        cached = lru_cache(maxsize=65_536)(searched)
        return lambda text: (cached if len(text) <= SHORT else searched)(text)


def suppression_of(
    warehouse: Warehouse, privacy: Privacy, vendor: Vendor
) -> Suppression:
    """Return who is erased of a vendor's calls, by the list of the warehouse as it is.

    Raises `pipelines.warehouse.suppression_list.ListError` if the list cannot be used,
    for without it erased persons would come back.
    """
    listed = read_list(warehouse, lambda: mac_key(privacy))
    regions = {account.alias: account.region for account in vendor.accounts}
    has_limit = privacy.raw_days is not None
    before = removed_before(warehouse, vendor.name) if has_limit else None
    return Suppression(vendor.name, listed, regions, before)


def _kept(stream: Stream) -> set[str]:
    """Return the keys of a record that stay whatever is in them."""
    kept = {stream.primary_key, stream.event_time_field, ERASED}
    return kept | {stream.updated_at_field, stream.filter_field}


def is_marked(payload: str) -> bool:
    """Return True if a record was erased here."""
    return _MARKED in payload and bytes(keys_of(payload).get(ERASED, b"")) == b"true"


def _identity(stream: Stream, payload: str) -> str:
    """Return the id of a record that could not be read, as far as it has one."""
    try:
        found = keys_of(payload).get(stream.primary_key)
        identity = None if found is None else msgspec.json.decode(found)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    return str(identity) if isinstance(identity, str | int) else ""
