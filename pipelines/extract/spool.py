"""Keep the records of a window on disk while it is read: memory has only their keys."""

import tempfile
from pathlib import Path
from typing import NamedTuple
from weakref import finalize


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

    def add(self, record: bytes) -> Location:
        """Append a record, and return where it lies."""
        self._file.seek(self._end)
        self._file.write(record)
        location = Location(self._end, len(record))
        self._end += len(record)
        return location

    def text(self, location: Location) -> str:
        """Return a record as text; bytes that are not UTF-8 are replaced by U+FFFD."""
        self._file.seek(location.offset)
        return self._file.read(location.length).decode(errors="replace")
