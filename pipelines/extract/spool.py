"""Keep the records of a window on disk while it is read: memory has only their keys."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from weakref import finalize

AT_ONCE = 1024 * 1024
"""Bytes that are written together."""


class Location(NamedTuple):
    """Where one record lies in a spool, in bytes."""

    offset: int
    length: int


class Spool:
    """The records of one window, in an unnamed file that ends with its reader."""

    def __init__(self, folder: Path | None) -> None:
        """Open the file in ``folder``, which is made; None: with temporary files."""
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        # Nobody else can open it, and whatever ends the program deletes it.
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        finalize(self, self._file.close)
        self._end = 0
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0

    def add(self, record: bytes) -> Location:
        """Append a record, and return where it lies."""
        self._waiting.append(record)
        self._waiting_bytes += len(record)
        location = Location(self._end, len(record))
        self._end += len(record)
        if self._waiting_bytes >= AT_ONCE:
            self._write()
        return location

    def text(self, location: Location) -> str:
        """Return a record as text; bytes that are not UTF-8 are replaced by U+FFFD."""
        return self._bytes(location).decode(errors="replace")

    def bytes_of(self, locations: Iterable[Location]) -> bytes:
        """Return records as they came, one after another."""
        return b"".join(map(self._bytes, _joined(locations)))

    def _write(self) -> None:
        self._file.seek(self._end - self._waiting_bytes)
        self._file.write(b"".join(self._waiting))
        self._waiting, self._waiting_bytes = [], 0

    def _bytes(self, location: Location) -> bytes:
        if self._waiting:
            self._write()
        self._file.seek(location.offset)
        return self._file.read(location.length)


def _joined(locations: Iterable[Location]) -> Iterator[Location]:
    """Join neighbours, so that they are read at once."""
    offset = length = 0
    for one in locations:
        if one.offset != offset + length:
            yield Location(offset, length)
            offset, length = one.offset, 0
        length += one.length
    yield Location(offset, length)
