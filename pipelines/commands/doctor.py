"""``callhouse doctor``: check every file of the warehouse, and name remedies.

It reads every file completely, sends no request to a vendor and changes nothing. For a
raw file that cannot be used it estimates what loading the calls again would cost.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from pipelines.commands.estimate import estimate
from pipelines.commands.pace import duration
from pipelines.commands.rollback import rolled_back
from pipelines.commands.run import ORIGINS
from pipelines.config.model import Config
from pipelines.planning.planner import BackfillRequest, PastRead
from pipelines.planning.windows import DAY
from pipelines.sources import streams_of, vendors
from pipelines.warehouse.journal import unreadable_lines
from pipelines.warehouse.ledger import stored_windows
from pipelines.warehouse.locks import LockedError, in_turn
from pipelines.warehouse.migration import LAYOUT, inspect
from pipelines.warehouse.opening import (
    BUILD_FILE,
    PUBLISHED_FILE,
    RAW_FILE,
    FileError,
    FileKind,
    is_present,
    log_of,
    read,
    refuse_damaged,
    refusing,
)
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.queries import query
from pipelines.warehouse.suppression_list import unfinished
from transforms.runner import build_state
from transforms.runner.storage import Place, reading

GOOD, ABSENT, EMPTY, IN_USE = "good", "absent", "empty", "in use"
OLDER, WRONG = "older", "wrong"
LISTED = ("_dlt_loads", "load_id")
"""The table and column in which dlt lists its loads."""
FILE_TIMEOUT = 10.0
"""Seconds to wait for a process that uses a file, before it is reported as in use."""


@dataclass(frozen=True)
class Finding:
    """The state of one file."""

    file: str
    state: str
    """good, absent, empty, in use, older (a snapshot is published) or wrong."""
    layout: int | None = None
    """The version of its tables; None: it has none, or could not be read."""
    program: str | None = None
    """The version of Callhouse that wrote it; None: unknown."""
    problem: str | None = None
    remedy: str | None = None
    """What to do; None: the file is good."""


def examine(config: Config, now: datetime) -> list[Finding]:
    """Return the state of every file of the warehouse."""
    warehouse = config.warehouse
    built = _built_loads(warehouse.to_build, BUILD_FILE)
    if warehouse.lake is None:
        built = built or _built_loads(warehouse.published, PUBLISHED_FILE)
    found = [_origin(warehouse.origin), _journal(warehouse)]
    found += [_raw(config, name, built.get(name, set()), now) for name in vendors()]
    if warehouse.lake is None:
        found.append(_tables(warehouse.build, BUILD_FILE))
    found.append(_published(warehouse))
    found += _erasures(warehouse)
    return [*found, *_locks(warehouse.locks)]


def _origin(mark: Path) -> Finding:
    if not mark.exists():
        return Finding(str(mark), ABSENT)
    if mark.is_dir():
        return Finding(str(mark), WRONG, None, None, "it is a folder", "delete it")
    origin = mark.read_bytes().decode("utf-8", "replace").strip()
    if origin in ORIGINS:
        return Finding(str(mark), GOOD)
    problem = "it does not say whose calls these are"
    remedy = f"the next load writes it anew; if you know, write {' or '.join(ORIGINS)}"
    return Finding(str(mark), WRONG if origin else EMPTY, None, None, problem, remedy)


def _journal(warehouse: Warehouse) -> Finding:
    journal = warehouse.journal
    if not is_present(journal):
        return Finding(str(journal), EMPTY if journal.exists() else ABSENT)
    try:
        count = unreadable_lines(warehouse)
    except (FileError, OSError) as error:
        return Finding(str(journal), WRONG, problem=str(error), remedy="mend that")
    if not count:
        return Finding(str(journal), GOOD)
    remedy = "the next load sets them aside"
    return Finding(str(journal), WRONG, problem=f"{count} torn lines", remedy=remedy)


def _raw(config: Config, name: str, built: set[str], now: datetime) -> Finding:
    raw = config.warehouse.raw(name)
    found = Finding(str(raw), GOOD)
    anew = "restore it from a backup, or "
    if not is_present(raw):
        found = replace(found, state=EMPTY if raw.exists() else ABSENT)
        if not built:
            return found
        problem = "it is missing, and the tables have calls of it"
    else:
        try:
            with in_turn(
                config.warehouse.raw_lock(name), shared=True, timeout=FILE_TIMEOUT
            ):
                refuse_damaged(raw, RAW_FILE)
                stamp, lacks = inspect(raw)
                missing = built - _loads(raw)
                is_ours = stamp.layout == LAYOUT and not lacks
                short = _short_windows(raw, name) if is_ours else 0
        except LockedError as error:
            remedy = "look again later"
            return replace(found, state=IN_USE, problem=str(error), remedy=remedy)
        except FileError as error:
            problem = str(error)
        else:
            found = replace(found, layout=stamp.layout, program=stamp.program)
            if lacks or short:
                problem, remedy = _mended_later(name, lacks, short)
                return replace(found, state=WRONG, problem=problem, remedy=remedy)
            if stamp.layout > LAYOUT:
                problem = f"its layout is newer than {LAYOUT}, the newest known here"
                anew = "use the newer version, or "
            elif missing:
                problem = f"it lacks {len(missing)} of the loads that the tables have"
            else:
                return found
        found = replace(found, state=WRONG)
    return replace(found, problem=problem, remedy=anew + _reload(config, name, now))


def _short_windows(raw: Place, name: str) -> int:
    """Return how many windows have fewer records than came."""
    return sum(
        window.rows_stored < window.rows_inside
        for stream in streams_of(name)
        if stream.is_by_own_time
        for window in stored_windows(raw, stream)
    )


def _mended_later(name: str, lacks: str, short: int) -> tuple[str, str]:
    """Return the problem of a file that can still be used, and the remedy."""
    if lacks:
        remedy = "the next load makes it anew, and reads its windows again"
        return f"it lacks {lacks}", remedy
    problem = f"{short} windows have fewer records than came"
    return problem, f"callhouse verify --vendor {name} says what mends them"


def _tables(file: Place, file_kind: FileKind) -> Finding:
    """Return the state of a built file; the remedy of any problem is a build."""
    try:
        if not is_present(file):
            return _absent(file)
        refuse_damaged(file, file_kind)
        stamp = build_state.read_stamp(file)
    except FileError as error:
        remedy = (
            "delete the folder, and run: callhouse transform"
            if isinstance(file, Path) and file.is_dir()
            else "run: callhouse transform"
        )
        return Finding(str(file), WRONG, problem=str(error), remedy=remedy)
    if stamp is None or stamp.layout != build_state.LAYOUT:
        problem = f"its layout is not {build_state.LAYOUT}, which this version makes"
        remedy = "run: callhouse transform"
        return Finding(str(file), WRONG, problem=problem, remedy=remedy)
    return Finding(str(file), GOOD, stamp.layout, stamp.program)


def _absent(file: Place) -> Finding:
    if not isinstance(file, Path) or not (file.exists() or log_of(file).exists()):
        return Finding(str(file), ABSENT)
    remedy = "run: callhouse transform"
    return Finding(str(file), EMPTY, problem="it has nothing in it", remedy=remedy)


def _published(warehouse: Warehouse) -> Finding:
    """Return the state of what analysts read, which may be a snapshot on purpose."""
    found = _tables(warehouse.tables, PUBLISHED_FILE)
    if found.state != GOOD or not (sentence := rolled_back(warehouse)):
        return found
    remedy = "if analysts are to see the newer tables again: callhouse transform"
    return replace(found, state=OLDER, problem=sentence, remedy=remedy)


def _erasures(warehouse: Warehouse) -> Iterator[Finding]:
    """Yield the erasures that are not finished."""
    if names := ", ".join(unfinished(warehouse)):
        problem = f"an erasure is not finished ({names}): its values may be in files"
        place, remedy = str(warehouse.privacy), "run: callhouse transform"
        yield Finding(place, WRONG, problem=problem, remedy=remedy)


def _locks(folder: Path) -> Iterator[Finding]:
    """Yield the locks that are not plain files."""
    for lock in sorted(folder.glob("*.lock")):
        if lock.is_symlink() or not lock.is_file():
            problem = "a lock must be a plain file"
            yield Finding(str(lock), WRONG, problem=problem, remedy="delete it")


def _reload(config: Config, name: str, now: datetime) -> str:
    """Return the command that loads all calls of a vendor again, and its cost."""
    reads = _published_reads(config.warehouse.tables, name)
    first = config.start or (now - timedelta(days=config.history_days)).date()
    if reads:
        first = min(read.interval[0] for read in reads).date()
    command = (
        f"move it away and load it anew with: callhouse backfill --vendor {name} "
        f"--from {first} --forget-history"
    )
    configured = [one for one in config.vendors if one.name == name]
    if not configured:
        return f"{command} (once the vendor is configured)"
    start = datetime.combine(first, time(), UTC)
    request = BackfillRequest(start, max(now, start + DAY), is_forced=True)
    cost = estimate(configured[0], config, now, request, reads=reads)
    windows = sum(stream.to_read for stream in cost.streams)
    requests = sum(stream.requests for stream in cost.streams)
    return (
        f"{command} (about {windows:,} windows, {requests:,} requests and "
        f"{duration(cost.seconds)}; what the vendor no longer serves cannot be loaded)"
    )


def _published_reads(published: Place, name: str) -> list[PastRead]:
    """Return a vendor's windows from the published ledger; empty if there is none."""
    try:
        if not is_present(published):
            return []
        with read(published, PUBLISHED_FILE) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("set variable vendor = $1", [name])
            rows = connection.execute(query("published/load_reads")).fetchall()
    except FileError:
        return []
    return [PastRead(row[0], row[1], (row[2], row[3]), *row[4:]) for row in rows]


def _built_loads(file: Place, file_kind: FileKind) -> dict[str, set[str]]:
    """Return the ids of the loads in a built file, by vendor."""
    found: dict[str, set[str]] = {}
    # An error here is reported by that file's own finding.
    with suppress(FileError):
        if is_present(file):
            with read(file, file_kind) as connection:
                for vendor, load in build_state.built_loads(connection):
                    found.setdefault(vendor, set()).add(load)
    return found


def _loads(raw: Place) -> set[str]:
    """Return the ids of all loads that any table of a raw file has."""
    found: set[str] = set()
    with refusing(raw, RAW_FILE), reading(raw) as file:
        columns = file.table_function("duckdb_columns").filter("schema_name = 'raw'")
        for table, column in columns.project("table_name, column_name").fetchall():
            if column == "_dlt_load_id" or (table, column) == LISTED:
                rows = file.table(f'raw."{table}"').project(column).distinct()
                found |= {load for (load,) in rows.fetchall()}
    return found
