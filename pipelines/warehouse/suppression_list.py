"""The suppression list, and the erasures that are not finished: ``warehouse/privacy``.

The list has MACs alone. Its key is kept apart from the warehouse, because a number can
be found from a hash without a key by trying all numbers.
"""

import hmac
import os
from collections.abc import Callable, Iterable
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex

import msgspec

from pipelines.warehouse.locks import in_turn
from pipelines.warehouse.opening import FileError
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.publish import flush

NUMBER, NAME, CALL, PAYLOAD = "number", "name", "call", "payload"
GONE = "erased:"
"""What stands for a record in quarantine that was erased: this and a MAC of its bytes,
so that the same bytes are still one record."""
_CHECK = "check"


class ListError(FileError):
    """The suppression list cannot be used; the sentence says why, and the remedy."""


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file has: MACs."""

    check: str
    """That of a fixed word: it shows whether a key is the one of this list."""
    numbers: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()


class SuppressionList:
    """Who is erased in a warehouse, and the key with which to look somebody up."""

    def __init__(self, key: bytes, stored: _Stored | None = None) -> None:
        """Take the key, and what the file has; a new list has nobody."""
        self.key = key
        self._stored = stored or _Stored(self.mac(_CHECK, _CHECK))

    def mac(self, kind: str, text: str) -> str:
        """Return the MAC of a text of a kind."""
        found = blake2b(f"{kind} {text}".encode(), key=self.key, digest_size=16)
        return found.hexdigest()

    def has(self, kind: str, text: str) -> bool:
        """Return True if a text is listed as one of its kind."""
        return self.mac(kind, text) in self._of(kind)

    @property
    def numbers(self) -> frozenset[str]:
        """The MACs of all numbers."""
        return self._stored.numbers

    @property
    def names(self) -> frozenset[str]:
        """The MACs of all names and addresses."""
        return self._stored.names

    def with_texts(self, kind: str, texts: Iterable[str]) -> "SuppressionList":
        """Return the list with some texts more."""
        more = self._of(kind) | {self.mac(kind, one) for one in texts}
        return self._changed(kind, more)

    def without_texts(self, kind: str, texts: Iterable[str]) -> "SuppressionList":
        """Return the list without some texts."""
        return self._changed(kind, self._of(kind) - {self.mac(kind, t) for t in texts})

    def write(self, warehouse: Warehouse) -> None:
        """Put the list in place of the stored one, flushed to the disk."""
        write_private(
            _list_file(warehouse), msgspec.json.encode(self._stored, order="sorted")
        )

    def is_of_key(self) -> bool:
        """Return True if the list was made with this key."""
        return hmac.compare_digest(self._stored.check, self.mac(_CHECK, _CHECK))

    def _of(self, kind: str) -> frozenset[str]:
        found: frozenset[str] = getattr(self._stored, f"{kind}s")
        return found

    def _changed(self, kind: str, macs: frozenset[str]) -> "SuppressionList":
        stored = msgspec.structs.replace(self._stored, **{f"{kind}s": macs})
        return SuppressionList(self.key, stored)


def read_list(
    warehouse: Warehouse, key: Callable[[], bytes | None]
) -> SuppressionList | None:
    """Return the list of a warehouse; None if nobody was ever erased there.

    ``key`` is called only if there is a list. Raises `ListError`.
    """
    path, stored = _list_file(warehouse), _stored(warehouse)
    if stored is None:
        return None
    found = key()
    if found is None or not (listed := SuppressionList(found, stored)).is_of_key():
        what = "the key is missing" if found is None else "the key is another one"
        raise ListError(
            f"{path}, the list of who is erased, cannot be used, because {what}; give "
            "the key with which it was made, as [privacy] key in secrets.toml, as "
            "CALLHOUSE__PRIVACY__KEY or in the file privacy.key beside secrets.toml"
        )
    return listed


def _stored(warehouse: Warehouse) -> _Stored | None:
    """Return what the file of a warehouse has; None: there is none."""
    path = _list_file(warehouse)
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ListError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return msgspec.json.decode(text, type=_Stored)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ListError(
            f"{path}, the list of who is erased, is damaged; restore it from a backup, "
            "for without it erased persons would be loaded again"
        ) from None


def take_over_erasures(warehouse: Warehouse, before: Warehouse) -> None:
    """Unite a warehouse's list with that of the one that it replaces.

    What was removed by age there is too old here as well. Raises `ListError` if the
    lists were made with different keys.
    """
    path, own, other = _list_file(warehouse), *map(_stored, (warehouse, before))
    if own and other and own.check != other.check:
        raise ListError(
            f"{_list_file(before)} was made with another key than the list of who is "
            "erased in the backup, so one of them would be lost; restore the backup to "
            "an empty place, and repeat the erasures there"
        )
    if other:
        united = {
            name: getattr(other, name) | (getattr(own, name) if own else frozenset())
            for name in ("numbers", "names", "calls")
        }
        found = _Stored(other.check, **united)
        write_private(path, msgspec.json.encode(found, order="sorted"))
    for age_file in before.privacy.glob("*.removed-before"):
        vendor = age_file.stem
        times = [removed_before(one, vendor) for one in (warehouse, before)]
        note_removed_before(warehouse, vendor, max(filter(None, times)))


def has_erasures(warehouse: Warehouse) -> bool:
    """Return True if anything was ever erased here, or removed by age."""
    ages = warehouse.privacy.glob("*.removed-before")
    return _list_file(warehouse).exists() or any(ages)


class Unfinished(msgspec.Struct, frozen=True):
    """What is left to do until a vendor's erased values are in no byte of any file."""

    token: str = msgspec.field(default_factory=lambda: token_hex(8))
    """Distinguishes it from a later one of the same vendor."""
    is_whole: bool = False
    """True: all stored records may have them, and every call is built again. False:
    the vendor has erased them, and a load has stored the records without them."""
    is_raw_done: bool = False
    """The raw file is free of them."""
    span: tuple[datetime, datetime] | None = None
    """When the records began that lost values, and are built again for that."""


def note_unfinished(
    warehouse: Warehouse,
    vendor: str,
    *,
    is_whole: bool = False,
    span: tuple[datetime, datetime] | None = None,
) -> None:
    """Note that a vendor's erased values may still be in files, and flush the note."""
    with in_turn(warehouse.privacy_lock):
        before = unfinished(warehouse).get(vendor, Unfinished())
        ends = [*(span or ()), *(before.span or ())]
        mark = Unfinished(
            is_whole=is_whole or before.is_whole,
            span=(min(ends), max(ends)) if ends else None,
        )
        _write_mark(warehouse, vendor, mark)


def note_raw_done(warehouse: Warehouse, vendor: str, mark: Unfinished) -> None:
    """Note that a raw file is done, unless more was noted since ``mark`` was read."""
    with in_turn(warehouse.privacy_lock):
        if unfinished(warehouse).get(vendor) == mark:
            done = msgspec.structs.replace(mark, is_raw_done=True)
            _write_mark(warehouse, vendor, done)


def unfinished(warehouse: Warehouse) -> dict[str, Unfinished]:
    """Return what is left of erasures, by vendor."""
    found = {}
    for path in sorted(warehouse.privacy.glob("*.unfinished")):
        try:
            mark = msgspec.json.decode(path.read_bytes(), type=Unfinished)
        except (msgspec.DecodeError, UnicodeDecodeError):
            mark = Unfinished("torn", is_whole=True)  # the safe reading
        except FileNotFoundError:
            continue
        found[path.stem] = mark
    return found


def note_finished(warehouse: Warehouse, done: dict[str, Unfinished]) -> None:
    """Remove the marks that are still the same ones."""
    with in_turn(warehouse.privacy_lock):
        now = unfinished(warehouse)
        for vendor, mark in done.items():
            if now.get(vendor) == mark:
                _mark_file(warehouse, vendor).unlink(missing_ok=True)
        flush(warehouse.privacy)


def removed_before(warehouse: Warehouse, vendor: str) -> datetime | None:
    """Return the time before which a vendor's calls have no personal keys any more.

    None: nothing was removed by age.
    """
    path = _age_file(warehouse, vendor)
    try:
        return msgspec.json.decode(path.read_bytes(), type=datetime)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ListError(
            f"{path}, which says how old the calls are that have lost their personal "
            "data, is damaged; delete it, and the next run removes from all of them"
        ) from None


def note_removed_before(
    warehouse: Warehouse, vendor: str, before: datetime | None
) -> None:
    """Note that the calls before a time have lost their personal keys, or forget it."""
    path = _age_file(warehouse, vendor)
    if before is None:
        path.unlink(missing_ok=True)
    else:
        write_private(path, _encoded(before))


def _age_file(warehouse: Warehouse, vendor: str) -> Path:
    return warehouse.privacy / f"{vendor}.removed-before"


def _encoded(value: object) -> bytes:
    # A date library's own time is one as well, and is not encoded by itself.
    return msgspec.json.encode(value, enc_hook=datetime.isoformat)


def _list_file(warehouse: Warehouse) -> Path:
    return warehouse.privacy / "suppressed.json"


def _mark_file(warehouse: Warehouse, vendor: str) -> Path:
    return warehouse.privacy / f"{vendor}.unfinished"


def _write_mark(warehouse: Warehouse, vendor: str, mark: Unfinished) -> None:
    write_private(_mark_file(warehouse, vendor), _encoded(mark))


def write_private(path: Path, content: bytes) -> None:
    """Replace a file that only its owner can read, flushed to the disk."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    incoming = path.with_name(f"{path.name}.incoming")
    incoming.unlink(missing_ok=True)
    handle = os.open(incoming, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    incoming.replace(path)
    flush(path.parent)
