"""The journal of runs: one line per vendor and run, in ``warehouse/runs.jsonl``.

It is text, appended and flushed, so that it also has the runs whose build failed. The
next build that succeeds shows it to analysts as ``ops.runs``.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime

import msgspec
import pyarrow as pa

from pipelines.warehouse.locks import in_turn
from pipelines.warehouse.opening import FileError, private
from pipelines.warehouse.paths import Warehouse

_FIELDS: dict[str, pa.DataType] = {
    "run_no": pa.int64(),
    "started_at": pa.timestamp("us", tz="UTC"),
    **dict.fromkeys(("command", "vendor"), pa.string()),
    **dict.fromkeys(("windows", "planned", "records", "changed"), pa.int64()),
    **dict.fromkeys(
        ("quarantined", "pending", "settled", "deleted", "restored"), pa.int64()
    ),
    **dict.fromkeys(("requests", "retries"), pa.int64()),
    "seconds": pa.float64(),
    **dict.fromkeys(("outcome", "error", "note"), pa.string()),
}
SCHEMA = pa.schema(_FIELDS)


class Run(msgspec.Struct, frozen=True):
    """What one command did for one vendor, or for the build, whose vendor is ""."""

    started_at: datetime
    command: str
    vendor: str
    outcome: str
    """complete, incomplete or failed."""
    windows: int = 0
    planned: int = 0
    records: int = 0
    changed: int = 0
    quarantined: int = 0
    pending: int = 0
    """Calls that were read again because their end or price was pending."""
    settled: int = 0
    deleted: int = 0
    """Calls newly marked deleted."""
    restored: int = 0
    """Calls that were marked deleted and are listed again."""
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    error: str | None = None
    note: str | None = None


def write_runs(warehouse: Warehouse, runs: Iterable[Run]) -> None:
    """Append lines to the journal and flush them to the disk."""
    warehouse.root.mkdir(parents=True, exist_ok=True)
    lines = [
        # A date library's own time is one as well, and is not encoded by itself.
        msgspec.json.encode(run, enc_hook=datetime.isoformat) + b"\n"
        for run in runs
    ]
    with _locked(warehouse), _opened(warehouse, os.O_RDWR | os.O_APPEND) as journal:
        os.fchmod(journal, 0o600)  # older versions made it as the umask had it
        size = os.fstat(journal).st_size
        if size and os.pread(journal, 1, size - 1) != b"\n":
            lines.insert(0, b"\n")  # a power cut tore the last one
        os.write(journal, b"".join(lines))
        os.fsync(journal)


def read_runs(warehouse: Warehouse) -> pa.Table:
    """Return the journal as a table of `SCHEMA`, without lines that cannot be read."""
    rows = [
        {"run_no": number, **msgspec.structs.asdict(run)}
        for number, line in enumerate(_lines(warehouse), start=1)
        if (run := _run(line)) is not None
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def mend_journal(warehouse: Warehouse) -> str:
    """Move lines that cannot be read, as after a power cut, into a file beside it.

    Return a sentence about them; "" if there are none. Other lines keep their numbers.
    """
    with _locked(warehouse):
        lines = _lines(warehouse)
        bad = [line for line in lines if line.strip() and _run(line) is None]
        if not bad:
            return ""
        journal = warehouse.journal
        aside = journal.with_name(f"{journal.name}.unreadable")
        incoming = journal.with_name(f"{journal.name}.incoming")
        incoming.unlink(missing_ok=True)
        with private():
            with aside.open("ab") as file:
                file.writelines(line + b"\n" for line in bad)
            left = (b"" if _run(line) is None else line for line in lines)
            incoming.write_bytes(b"\n".join(left) + b"\n")
        incoming.replace(journal)
    count = len(bad)
    what = "1 line that" if count == 1 else f"{count} lines that"
    return f"{journal} had {what} cannot be read; now in {aside.name}"


def unreadable_lines(warehouse: Warehouse) -> int:
    """Return how many lines of the journal cannot be read."""
    return sum(bool(line.strip()) and _run(line) is None for line in _lines(warehouse))


def _lines(warehouse: Warehouse) -> list[bytes]:
    if not warehouse.journal.exists():
        return []
    with _opened(warehouse, os.O_RDONLY) as journal:
        return os.read(journal, os.fstat(journal).st_size).split(b"\n")


def _run(line: bytes) -> Run | None:
    try:
        return msgspec.json.decode(line, type=Run)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _locked(warehouse: Warehouse) -> AbstractContextManager[None]:
    return in_turn(warehouse.journal_lock)


@contextmanager
def _opened(warehouse: Warehouse, flags: int) -> Iterator[int]:
    path = warehouse.journal
    if path.is_dir():
        raise FileError(f"{path} is a folder, where a file must be; delete it")
    if path.is_symlink():
        raise FileError(f"{path} is a symbolic link, where a file must be; delete it")
    made = os.O_CREAT if flags & os.O_APPEND else 0
    handle = os.open(path, flags | made | os.O_NOFOLLOW, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)
