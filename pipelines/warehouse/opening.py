"""Open DuckDB files; raise one sentence with the remedy for a file that does not open.

DuckDB distinguishes a file in use, a damaged one and one that is too new only by the
text of its error, on which no behaviour may depend. So the file itself is examined: its
locks, its first bytes and its permissions.
"""

import fcntl
import os
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from pipelines.warehouse.queries import query
from transforms.runner.statements import quoted
from transforms.runner.storage import STORAGE, Place, connect, in_memory, reading
from transforms.runner.storage import attach as attach_place

_MAGIC = slice(8, 12), b"DUCK"
_VERSION = slice(12, 20)
"""The bytes of a DuckDB file that have its magic word and its storage version."""
_WITHIN = slice(4096 + 56, 4096 + 64), slice(8192 + 56, 8192 + 64)
"""The bytes of its two headers that distinguish the versions from 2.0 on.

From struct DatabaseHeader in DuckDB's storage_info.hpp; 69 is that of 2.0.
"""
ROW_GROUP = 2048
"""Records per row group. With DuckDB's default of 122,880 it would have the payloads of
all of them in memory when it merges small row groups, far beyond its limit."""
CHECKPOINT = "set checkpoint_threshold = '16 MiB'"
"""With dlt's own setting far more of the log would stay in memory."""
_HEADERS = 3 * 4096
"""Bytes of a DuckDB file before its first block."""
_LOCK_FIELDS = {"darwin": ("qqihh", ("start", "len", "pid", "type", "whence"))}
_LINUX_LOCK = ("hhqqi0q", ("type", "whence", "start", "len", "pid"))
"""The system's ``struct flock``."""


class FileError(Exception):
    """A DuckDB file cannot be used; the sentence names the file and the remedy."""


class InUseError(FileError):
    """Another process has the file open."""


@dataclass(frozen=True)
class FileKind:
    """The kind of a file, and the remedies for one that cannot be opened."""

    name: str
    when_in_use: str
    when_damaged: str
    when_newer: str


PUBLISHED_FILE = FileKind(
    "the published file",
    when_in_use="close it there, or open it there read-only, as the README shows",
    when_damaged="publish it again with: callhouse transform",
    when_newer="use the Callhouse that published it, or run: callhouse transform",
)
RAW_FILE = FileKind(
    "a vendor's raw file",
    when_in_use="close it there; the next run goes on",
    when_damaged="it is left where it is; callhouse doctor says what to do",
    when_newer="use the Callhouse that loaded it; see: callhouse doctor",
)
BUILD_FILE = FileKind(
    "the work file of the build",
    when_in_use="close it there, and run: callhouse transform",
    when_damaged="callhouse transform makes it anew",
    when_newer="callhouse transform makes it anew",
)


def is_present(path: Place) -> bool:
    """Return True if a path exists and is not an empty file, or if a lake has tables.

    A full disk or a kill leaves empty files, which never had any data.
    """
    if not isinstance(path, Path):
        return path.exists()
    return path.exists() and (path.is_dir() or path.stat().st_size > 0)


def log_of(path: Path) -> Path:
    """Return the path of DuckDB's write-ahead log of a file."""
    return path.with_name(f"{path.name}.wal")


def make_way(path: Path) -> None:
    """Delete an empty file, and rename a log beside it: it belongs to another file."""
    path.unlink(missing_ok=True)
    log = log_of(path)
    if log.exists():
        log.replace(log.with_name(f"{log.name}.set-aside"))


@contextmanager
def private() -> Iterator[None]:
    """Make files that only their owner can read, because they have phone numbers."""
    umask = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(umask)


def refuse_truncated(
    connection: duckdb.DuckDBPyConnection, path: Path, file_kind: FileKind
) -> None:
    """Raise `FileError` for an open file that was cut short.

    DuckDB opens such a file, and then fails in the middle of a query.
    """
    sizes = connection.table_function("pragma_database_size")
    blocks = sizes.project("block_size * total_blocks").fetchall()
    if path.stat().st_size < _HEADERS + max(size for (size,) in blocks):
        # Blocks that were never used may be missing: only reading them all tells.
        with refusing(path, file_kind):
            _read_all(connection)


def refuse_damaged(path: Place, file_kind: FileKind) -> None:
    """Read a file completely, and raise `FileError` if a part cannot be read."""
    with refusing(path, file_kind), reading(path) as file:
        _read_all(file)


def _read_all(file: duckdb.DuckDBPyConnection) -> None:
    """Read every value of every column, and so every block that is used."""
    ((hashes,),) = file.execute(query("hashes")).fetchall()
    file.execute(hashes).fetchall()


@contextmanager
def opened(
    path: Place, file_kind: FileKind, *, is_alone: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a file read-only, without the log that another program left beside it.

    Only where it ``is_alone``, in a database of its own, settings of DuckDB may be
    changed. Raises `InUseError` for a file that another process has open for writing,
    and `FileError` for one that cannot be opened for another reason. A lake is opened
    so that all queries see the tables of one build.
    """
    if not isinstance(path, Path):
        with path.opened() as connection:
            yield connection
        return
    with _without_log(path) as place, ExitStack() as stack:
        with refusing(path, file_kind):
            opening = connect(place, read_only=True) if is_alone else reading(place)
            connection = stack.enter_context(opening)
        yield connection


@contextmanager
def read(path: Place, file_kind: FileKind) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a file as `opened` does, for our own queries.

    If such a query fails the file is wrong, so that is a `FileError`, too.
    """
    with opened(path, file_kind) as connection, refusing(path, file_kind):
        yield connection


def attach(
    connection: duckdb.DuckDBPyConnection,
    path: Place,
    name: str,
    file_kind: FileKind,
    *,
    is_to_write: bool = False,
) -> None:
    """Attach a file, by default read-only; raises as `opened` does."""
    if not isinstance(path, Path):
        path.attach(connection, name, read_only=not is_to_write)
        return
    how = f"row_group_size {ROW_GROUP}" if is_to_write else "read_only"
    with refusing(path, file_kind):
        connection.execute(f"attach {quoted(str(path))} as {name} ({how})")


@contextmanager
def attached(
    connection: duckdb.DuckDBPyConnection, path: Place, name: str, file_kind: FileKind
) -> Iterator[None]:
    """Attach a file read-only, without a log beside it; raises as `opened` does."""
    with _without_log(path) if isinstance(path, Path) else nullcontext(path) as place:
        with refusing(path, file_kind):
            attach_place(connection, place, name, read_only=True)
        yield
        connection.execute(f"detach {name}")


@contextmanager
def writing(
    raw: Place, settings: Mapping[str, Any] | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a raw file for writing, in row groups of `ROW_GROUP` records.

    ``settings`` are those of DuckDB. Raises as `opened` does.
    """
    own = STORAGE if isinstance(raw, Path) else raw.settings
    with connect(settings={**own, **(settings or {})}) as connection:
        # dlt opens a cursor of this connection. A cursor begins in the database in
        # which DuckDB was started, named memory: so the raw file gets that name.
        for step in ("attach ':memory:' as other", "use other", "detach memory"):
            connection.execute(step)
        attach(connection, raw, "memory", RAW_FILE, is_to_write=True)
        for step in ("use memory", "detach other", CHECKPOINT):
            connection.execute(step)
        yield connection


def refuse_in_use(path: Place, file_kind: FileKind) -> None:
    """Raise `InUseError` if another process has a file open, if only to read it."""
    if not isinstance(path, Path):
        return
    if (who := _holder(path, fcntl.F_WRLCK)) is not None:
        raise InUseError(_in_use(path, file_kind, who))


def refuse_written(path: Path, file_kind: FileKind) -> None:
    """Raise `InUseError` if another process has a file open for writing."""
    if (who := _holder(path, fcntl.F_RDLCK)) is not None:
        raise InUseError(_in_use(path, file_kind, who))


@contextmanager
def _without_log(path: Path) -> Iterator[Path]:
    """Yield a path of the file at which DuckDB finds no log."""
    real = path.resolve()
    with ExitStack() as links:
        if real.with_name(f"{real.name}.wal").exists():
            # A hard link, for DuckDB looks for the log where a symbolic link leads.
            try:
                folder = TemporaryDirectory(dir=real.parent, prefix="read-")
                link = Path(links.enter_context(folder)) / path.name
                link.hardlink_to(real)
            except OSError as error:
                raise FileError(
                    f"{path} has changes of another program beside it, in "
                    f"{real.name}.wal, and cannot be read without them "
                    f"({error.strerror}); publish it again with: callhouse transform"
                ) from None
            path = link
        yield path


@contextmanager
def refusing(path: Place, file_kind: FileKind) -> Iterator[None]:
    """Raise an error of DuckDB as a `FileError` that names the file and the remedy."""
    try:
        yield
    except duckdb.Error as error:
        if not isinstance(path, Path):
            raise FileError(path.trouble(error)) from None
        raise _refusal(path, file_kind, error) from None


def _refusal(path: Path, file_kind: FileKind, error: duckdb.Error) -> FileError:
    # A reader in another process prevents writing.
    for kind_of_lock in (fcntl.F_RDLCK, fcntl.F_WRLCK):
        if (who := _holder(path, kind_of_lock)) is not None:
            return InUseError(_in_use(path, file_kind, who))
    kind = type(error).__name__
    if isinstance(error, duckdb.ProgrammingError):
        found = (
            f"lacks what is read of it ({kind}), so another version wrote it; "
            f"{file_kind.when_damaged}"
        )
    else:
        found = _look_at(path, file_kind, kind)
    return FileError(f"{path}, {file_kind.name}, {found}")


def _look_at(path: Path, file_kind: FileKind, kind: str) -> str:
    """Return what is wrong with a file that DuckDB does not open, and the remedy."""
    if path.is_dir():
        return f"is a folder, where a file must be; {file_kind.when_damaged}"
    try:
        with path.open("rb") as file:
            start = file.read(_HEADERS)
    except OSError as error:
        return f"cannot be opened: {error.strerror}"
    if not start:
        return f"is empty; {file_kind.when_damaged}"
    place, mark = _MAGIC
    if start[place] != mark or len(start) < _VERSION.stop:
        return f"is not a DuckDB file; {file_kind.when_damaged}"
    if _version(start) > _newest_version():
        return (
            f"was written by a newer DuckDB than the {duckdb.__version__} here; "
            f"{file_kind.when_newer}"
        )
    beside = f" or {log_of(path).name} beside it" if log_of(path).exists() else ""
    return (
        f"cannot be read ({kind}), so it{beside} is damaged, or its disk fails; "
        f"{file_kind.when_damaged}"
    )


def _in_use(path: Path, file_kind: FileKind, who: str) -> str:
    return f"{path}, {file_kind.name}, is open in {who}; {file_kind.when_in_use}"


def _holder(path: Path, kind: int) -> str | None:
    """Return the process whose lock prevents ours; None: there is none."""
    layout, names = _LOCK_FIELDS.get(sys.platform, _LINUX_LOCK)
    wanted = {"type": kind, "whence": os.SEEK_SET}
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        lock = struct.pack(layout, *(wanted.get(name, 0) for name in names))
        reply = fcntl.fcntl(handle, fcntl.F_GETLK, lock)
    except OSError:  # a file system without locks
        return None
    finally:
        os.close(handle)
    found = dict(zip(names, struct.unpack(layout, reply), strict=True))
    if found["type"] == fcntl.F_UNLCK:
        return None
    return _process(found["pid"])


def _process(number: int) -> str:
    """Return the number and name of a process; on another machine it has none."""
    if number <= 0:
        return "a process of another machine or container"
    try:
        name = Path(f"/proc/{number}/comm").read_text("utf-8", "replace").strip()
    except OSError:
        return f"process {number}"
    return f"process {number} ({name})"


def _version(start: bytes) -> tuple[int, int]:
    """Return the storage version of a file, from its first bytes, to be compared."""
    within = (int.from_bytes(start[place], "little") for place in _WITHIN)
    return int.from_bytes(start[_VERSION], "little"), max(within)


def _newest_version() -> tuple[int, int]:
    """Return the newest storage version that the installed DuckDB writes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "newest.duckdb"
        with in_memory() as connection:
            name = quoted(str(path))
            connection.execute(f"attach {name} as newest (storage_version 'latest')")
            connection.execute("detach newest")
        return _version(path.read_bytes()[:_HEADERS])
