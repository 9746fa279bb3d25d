"""Records wait on disk while their window is read: memory holds only their keys."""

import tempfile
from pathlib import Path
from typing import NamedTuple
from weakref import finalize


class Copy(NamedTuple):
    """Where one copy of a record lies in its file."""

    offset: int
    length: int


class Copies:
    """What came of one window, in a file without a name that goes with its reader."""

    def __init__(self, folder: Path | None) -> None:
        """Open the file in a folder, which is made; None: where temporary files go."""
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        # Nobody else can open it, and whatever ends the program deletes it.
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        finalize(self, self._file.close)
        self._end = 0

    def add(self, record: bytes) -> Copy:
        """Write a copy behind the others."""
        self._file.seek(self._end)
        self._file.write(record)
        copy = Copy(self._end, len(record))
        self._end += len(record)
        return copy

    def text(self, copy: Copy) -> str:
        """Return a copy; what is not UTF-8 in it is replaced."""
        self._file.seek(copy.offset)
        return self._file.read(copy.length).decode(errors="replace")
