"""An error that no command foresees, in one sentence, with its exit code.

What the system refuses (a full disk, a missing permission) can be mended by whoever
runs the command. Anything else is a fault of Callhouse: a report file says where it
happened, without secrets and phone numbers.
"""

import errno
import os
import platform
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import duckdb

from pipelines.extract.errors import clean, escaped

REFUSED, UNEXPECTED = 2, 70
_MAKE_ROOM = "make room there and run the same command again"
_PERMIT = "give the user who runs this the permission, or run it as its owner"
_MORE_FILES = "allow more open files, as with: ulimit -n 1024"
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), _MAKE_ROOM),
    **dict.fromkeys((errno.EACCES, errno.EPERM), _PERMIT),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), _MORE_FILES),
    errno.EROFS: "make that file system writable, or name another folder",
    errno.EIO: "check the disk",
}
_COULD_NOT_WRITE = (
    duckdb.IOException,
    duckdb.TransactionException,  # a commit: a file has one writer, none is in its way
    duckdb.FatalException,  # a checkpoint or a flush
)
_PACKAGES = ("callhouse", "dlt", "duckdb", "pyarrow")


@dataclass(frozen=True)
class Failure:
    """What to print, and the exit code."""

    sentence: str
    exit_code: int

    @property
    def is_of_system(self) -> bool:
        """Return True if the system refused, and no code failed."""
        return self.exit_code == REFUSED


def failure_of(error: BaseException) -> Failure:
    """Return what to print for an error; one that is unexpected leaves a report.

    A library may have wrapped what the system refused, so the causes are looked at.
    """
    for one in _causes(error):
        if (sentence := _refusal(one)) is not None:
            return Failure(sentence, REFUSED)
    what = f"unexpected {type(error).__name__}, which is a fault of Callhouse"
    return Failure(f"{what}; what is stored stays; {_report(error)}", UNEXPECTED)


def _refusal(error: BaseException) -> str | None:
    """Return a sentence if it was the system that refused."""
    if isinstance(error, ConnectionError | TimeoutError):
        return None
    if isinstance(error, OSError) and error.errno is not None:
        names = (error.filename, error.filename2)
        places = " to ".join(escaped(os.fsdecode(one)) for one in names if one)
        message = f"{places or 'a file, or the output'}: {os.strerror(error.errno)}"
        return f"{message}; {_REMEDIES.get(error.errno, 'mend it and run it again')}"
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException):
        return "there is not enough memory, or not enough room for temporary files"
    if isinstance(error, _COULD_NOT_WRITE):
        return (
            f"DuckDB could not read or write a file: {clean(str(error))}; check the "
            "disk's free space, and the permissions of the warehouse"
        )
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, or while handling."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__


def _report(error: BaseException) -> str:
    """Write where an error happened into a new file that its user alone can read."""
    try:
        handle, path = tempfile.mkstemp(prefix="callhouse-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in _lines(error))
    except OSError as trouble:
        return f"no report could be written ({trouble.strerror})"
    return f"please report it with {path}, which has no secrets in it"


def _lines(error: BaseException) -> Iterator[str]:
    packages = (f"{name} {version(name)}" for name in _PACKAGES)
    yield f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {', '.join(packages)}"
    yield f"Python {platform.python_version()} on {platform.platform()}"
    for one in _causes(error):
        # A message may quote a record or a key; the frames are of code alone.
        kind = type(one)
        yield f"\n{kind.__module__}.{kind.__qualname__}: {clean(str(one))}"
        for frame in traceback.extract_tb(one.__traceback__):
            yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
