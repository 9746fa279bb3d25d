"""The journal of runs: one line per vendor and run, in ``warehouse/runs.jsonl``.

It is text, appended and flushed, so that it also has the runs whose build failed. The
next build that succeeds shows it to analysts as ``ops.runs``.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

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


class LoadResult(msgspec.Struct, frozen=True):
    """What one command did for one vendor, or for the build, whose vendor is ""."""

    vendor: str
    windows: int = 0
    """Windows that were read completely."""
    planned: int = 0
    records: int = 0
    """Distinct records in those windows."""
    changed: int = 0
    """How many of them are new, or differ from the stored version."""
    new: int = 0
    """How many of these were not stored before; the journal does not have it."""
    quarantined: int = 0
    unreadable: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Records that are new in quarantine, by the reason."""
    pending: int = 0
    """Calls that were read again because their end or price was pending."""
    settled: int = 0
    """How many of them are no longer pending."""
    deleted: int = 0
    """Calls newly marked deleted."""
    restored: int = 0
    """Calls that were marked deleted and are listed again."""
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    errors: tuple[str, ...] = ()
    is_blocked: bool = False
    """The system refused: a full disk, a missing permission."""
    notes: tuple[str, ...] = ()
    """What an operator should know; no action is needed."""

    @property
    def has_all_windows(self) -> bool:
        """Return True if every planned window was read completely."""
        return not self.errors and self.windows == self.planned

    @property
    def is_complete(self) -> bool:
        """Return True if all that was planned is in, and all of it could be read."""
        return self.has_all_windows and not self.unreadable

    @property
    def problems(self) -> tuple[str, ...]:
        """Return a sentence for each thing that somebody should act upon."""
        if not self.unreadable:
            return self.errors
        reasons = "; ".join(
            f"{reason} ({count:,})" for reason, count in sorted(self.unreadable.items())
        )
        count = sum(self.unreadable.values())
        sentence = (
            f"{count:,} new in quarantine, as they could not be read: {reasons}; "
            "see: callhouse quarantine list"
        )
        return (*self.errors, sentence)


class _Line(msgspec.Struct, frozen=True):
    """What a line of the journal has beside the counts of a `LoadResult`."""

    started_at: datetime
    command: str
    outcome: str
    """complete, incomplete or failed."""
    error: str | None = None
    note: str | None = None


def write_runs(
    warehouse: Warehouse,
    started_at: datetime,
    command: str,
    results: Iterable[LoadResult],
    *,
    has_failed: bool = False,
) -> None:
    """Append a line for each result to the journal, and flush them to the disk.

    ``has_failed`` says that the command ended in an error.
    """
    warehouse.root.mkdir(parents=True, exist_ok=True)
    lines = []
    for one in results:
        outcome = "complete" if one.is_complete else "incomplete"
        line = _Line(
            started_at,
            command,
            "failed" if has_failed else outcome,
            "; ".join(one.problems) or None,
            "; ".join(one.notes) or None,
        )
        row = _row(one, line) | {"seconds": round(one.seconds, 3)}
        # A date library's own time is one as well, and is not encoded by itself.
        lines.append(msgspec.json.encode(row, enc_hook=datetime.isoformat) + b"\n")
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
        {"run_no": number, **row}
        for number, line in enumerate(_lines(warehouse), start=1)
        if (row := _read(line)) is not None
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def mend_journal(warehouse: Warehouse) -> str:
    """Move lines that cannot be read, as after a power cut, into a file beside it.

    Return a sentence about them; "" if there are none. Other lines keep their numbers.
    """
    with _locked(warehouse):
        lines = _lines(warehouse)
        bad = [line for line in lines if line.strip() and _read(line) is None]
        if not bad:
            return ""
        journal = warehouse.journal
        aside = journal.with_name(f"{journal.name}.unreadable")
        incoming = journal.with_name(f"{journal.name}.incoming")
        incoming.unlink(missing_ok=True)
        with private():
            with aside.open("ab") as file:
                file.writelines(line + b"\n" for line in bad)
            left = (b"" if _read(line) is None else line for line in lines)
            incoming.write_bytes(b"\n".join(left) + b"\n")
        incoming.replace(journal)
    count = len(bad)
    what = "1 line that" if count == 1 else f"{count} lines that"
    return f"{journal} had {what} cannot be read; now in {aside.name}"


def unreadable_lines(warehouse: Warehouse) -> int:
    """Return how many lines of the journal cannot be read."""
    return sum(bool(line.strip()) and _read(line) is None for line in _lines(warehouse))


def _lines(warehouse: Warehouse) -> list[bytes]:
    if not warehouse.journal.exists():
        return []
    with _opened(warehouse, os.O_RDONLY) as journal:
        return os.read(journal, os.fstat(journal).st_size).split(b"\n")


def _read(line: bytes) -> dict[str, Any] | None:
    """Return what a line says; None if it cannot be read."""
    try:
        result = msgspec.json.decode(line, type=LoadResult)
        return _row(result, msgspec.json.decode(line, type=_Line))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _row(result: LoadResult, line: _Line) -> dict[str, Any]:
    """Return a line's columns, without its number."""
    found = {**msgspec.structs.asdict(line), **msgspec.structs.asdict(result)}
    return {name: found[name] for name in SCHEMA.names if name in found}


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
