"""From a vendor's pages to the three tables that every load writes together.

The records as they came, byte for byte, beside the keys they are found by; one
ledger row per window; and the records that could not be read, with the reason. They
leave in one dlt load package, so a window is never marked done without its calls.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import chain, islice, takewhile, zip_longest
from typing import Any, TypeAlias

import dlt
import pyarrow as pa
from dlt.extract import DltResource, DltSource

from pipelines.extract.client import Client
from pipelines.extract.copies import Copy
from pipelines.extract.errors import VendorError
from pipelines.extract.raw_schema import KEYS, LEDGER, QUARANTINE, RECORDS
from pipelines.extract.source import Source
from pipelines.extract.window_reader import (
    ALONE,
    READS,
    Kept,
    Package,
    Pile,
    Reader,
    Terms,
)
from pipelines.planning.reasons import (
    BEGUN,
    CLOCK,
    COUNTS_MORE,
    EXPIRED,
    MISSING,
    NOT_AUTHORIZED,
    SHORT,
    UNSTEADY,
)
from pipelines.planning.stream import Stream
from pipelines.planning.windows import Window

FAILURES = 3
"""So many windows that fail in a row are not the windows' fault."""

ONLY_BEGUN = (
    "the run ended while the records of this window were being stored; it is read "
    "again in the next run"
)

PIECE_BYTES = 4 * 1024 * 1024
"""Payloads of one table that goes to dlt; a larger record is one by itself."""


@dataclass(frozen=True)
class Portion:
    """What one load package gets of a window: all of it, unless that is too much."""

    stream: Stream
    records: Iterable[pa.Table]
    quarantine: Iterable[pa.Table]
    ledger: pa.Table
    bytes: int
    """How long its records are together."""


@dataclass(frozen=True)
class Read:
    """One window of one account, read to its end or to its error."""

    window: Window
    portions: deque[Portion]
    """What is still to be stored of it; its ledger row is in the last one."""
    error: VendorError | None


_Rows: TypeAlias = Iterator[tuple[Copy, dict[str, Any]]]


def dlt_source(
    account: str,
    windows: Iterable[Window],
    source: Source,
    terms: Terms = ALONE,
) -> DltSource:
    """Return a dlt source that reads windows of one account and yields Arrow tables.

    It has one resource per raw table, the ledger and the quarantine
    (`pipelines.extract.raw_schema`), and takes nothing from dlt's own configuration.
    """
    named = dlt.source(resources_of, name=source.client.vendor)
    return named(account, list(windows), source, terms)


def resources_of(
    account: str,
    windows: Iterable[Window],
    source: Source,
    terms: Terms = ALONE,
) -> list[DltResource]:
    """Turn windows into dlt resources: one per raw table, the ledger, the quarantine.

    Endpoints are read in their order, each window drained before it is
    handed on, so that no vendor's page token waits for a database. A window that
    fails raises `VendorError`; on terms that say ``keep_going`` it is written into
    the ledger as failed and the next one is tried, unless the error concerns the
    whole account. An optional stream that is not granted is unreachable, and the next
    stream is read; so is a window that its vendor no longer serves, and the next one.
    ``source.concurrency`` windows are read at the same time. What a full package does
    not take of a window is the beginning of the next package.
    """
    asked = list(windows)
    package = terms.package or Package(most=None)
    begun: list[Read] = package.begun.pop(account, [])
    begun_windows = [read.window for read in begun]

    def reads() -> Iterator[Portion]:
        failed = 0
        for endpoint in source.endpoints:
            stream = endpoint.stream
            reader = Reader(stream, account, endpoint.fetch, terms)
            own = (window for window in asked if window.stream == stream.name)
            fresh = (window for window in own if window not in begun_windows)
            taken = takewhile(lambda _: not package.is_full, fresh)
            for read in chain(
                (read for read in begun if read.window.stream == stream.name),
                _in_order(
                    partial(_read, reader, source.client), taken, source.concurrency
                ),
            ):
                error = read.error
                if error is not None and not terms.keep_going:
                    raise error
                while read.portions and not package.is_full:
                    portion = read.portions.popleft()
                    package.bytes += portion.bytes
                    # The ledger's row of a portion and that of the window have the
                    # same key: in one package both would be stored.
                    package.is_closed = bool(read.portions)
                    yield portion
                if read.portions:
                    package.begun.setdefault(account, []).append(read)
                    continue
                if error is not None and _is_not_granted(stream, error):
                    break
                if error is not None and error.is_gone:
                    continue
                failed = 0 if error is None else failed + 1
                if error is not None and (error.stops_account or failed == FAILURES):
                    package.gave_up.add(account)
                    return

    portions = dlt.resource(reads, name="reads", selected=False)
    tables = dict.fromkeys(one.stream.table for one in source.endpoints)
    return [
        *(_table(portions, table, "records", _records_of(table)) for table in tables),
        _table(portions, "quarantine", "quarantine", lambda part: part.quarantine),
        _table(portions, "load_windows", "load_windows", lambda part: [part.ledger]),
    ]


def stored_at_once(tables: Mapping[str, pa.Table], load_no: int) -> list[DltResource]:
    """Return dlt resources that store ready rows, by table, in one package.

    A row that says of no load that it is its own is of load ``load_no``.
    """
    return [
        _hinted(dlt.resource([_numbered(rows, load_no)], name=name), name)
        for name, rows in tables.items()
        if rows.num_rows
    ]


def ledger_rows(rows: Callable[[], list[dict[str, Any]]]) -> DltResource:
    """Return a dlt resource of ledger rows that are made when all else was read."""

    def tables() -> Iterator[pa.Table]:
        if found := rows():
            yield pa.Table.from_pylist(found, schema=LEDGER)

    return _hinted(dlt.resource(tables, name="load_windows"), "load_windows")


def _numbered(rows: pa.Table, load_no: int) -> pa.Table:
    place = rows.schema.get_field_index("load_no")
    numbers = [load_no if one is None else one for one in rows["load_no"].to_pylist()]
    field = rows.schema.field(place)
    return rows.set_column(place, field, pa.array(numbers, field.type))


def _records_of(table: str) -> Callable[[Portion], Iterable[pa.Table]]:
    return lambda part: part.records if part.stream.table == table else ()


def _table(
    portions: DltResource,
    name: str,
    kind: str,
    rows_of: Callable[[Portion], Iterable[pa.Table]],
) -> DltResource:
    def rows(portion: Portion) -> Iterator[pa.Table]:
        yield from rows_of(portion)

    return _hinted(dlt.transformer(name=name, data_from=portions)(rows), kind)


def _hinted(resource: DltResource, kind: str) -> DltResource:
    # The only disposition that a killed and repeated load cannot duplicate; rows
    # come without duplicates, so dlt need not sort whole payloads for them.
    disposition: Any = {
        "disposition": "merge",
        "strategy": "delete-insert",
        "deduplicated": True,
    }
    keys = KEYS.get(kind, KEYS["records"])
    resource.apply_hints(write_disposition=disposition, primary_key=keys)
    return resource


def _in_order(
    read: Callable[[Window], Read], windows: Iterable[Window], at_once: int
) -> Iterator[Read]:
    """Read some windows at the same time; no more are held than are read at once."""
    if at_once == 1:
        yield from map(read, windows)
        return
    with ThreadPoolExecutor(at_once) as pool:
        reading: deque[Future[Read]] = deque()
        try:
            for window in windows:
                reading.append(pool.submit(read, window))
                if len(reading) == at_once:
                    yield reading.popleft().result()
            while reading:
                yield reading.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _read(reader: Reader, client: Client, asked: Window) -> Read:
    """Read one window, and say in the ledger what became of it."""
    started, window = reader.terms.clock(), asked
    requests, retries = client.sent, client.retries
    pile, error, state, reason = Pile(), None, "complete", None
    try:
        pile = reader.read(window, started)
        state, reason = _state_of(pile, reader)
        window = _reached(window, reader, started)
    except VendorError as failure:
        no_scope = _is_not_granted(reader.stream, failure)
        error, reason = failure, NOT_AUTHORIZED if no_scope else failure.reason
        state = "unreachable" if reason in {EXPIRED, NOT_AUTHORIZED} else "failed"
    if reason == SHORT:
        error = VendorError(
            f"{window} has {pile.total} records by the vendor's count, but sent "
            f"{pile.distinct} in {READS} readings; it is read again next time"
        )
    about = {
        "account": reader.account,
        "stream": reader.stream.name,
        "purpose": window.purpose,
        "state": state,
        "reason": reason,
        "attempt": window.attempt,
        "load_no": reader.terms.load_no,
        "started_at": started,
        "finished_at": reader.terms.clock(),
    }
    whole = {
        **about,
        "window_start": window.start,
        "window_end": window.end,
        "rows_fetched": pile.fetched,
        "rows_distinct": len(pile.kept),
        "rows_inside": _inside(reader.stream, window, pile),
        "rows_quarantined": len(pile.refused),
        "rows_vanished": len(pile.missing),
        "rows_known": pile.known,
        "vendor_total": pile.total,
        "requests": client.sent - requests,
        "retries": client.retries - retries,
        "error": None if error is None else str(error),
    }
    # A part's requests are counted with its whole, and of what was asked a second
    # beyond its bounds it has copies: it has neither requests nor a distinct number.
    parts = [
        {
            **about,
            "window_start": start,
            "window_end": end,
            "rows_fetched": fetched,
            "split_of": f"{window.start:%Y-%m-%dT%H:%MZ}/{window.end:%Y-%m-%dT%H:%MZ}",
        }
        for (start, end), fetched in sorted(pile.parts.items())
    ]
    records = _records(reader, pile, window, started)
    refused = _quarantine(reader, pile, window, started)
    package = reader.terms.package
    most = package.most if package else None
    cuts = list(
        zip_longest(
            _cut([copy for *_, copy in _newest_of(pile).values()], most),
            _cut([copy for *_, copy in pile.refused], most),
            fillvalue=(0, 0),
        )
    )
    begun = {**whole, "state": "partial", "reason": BEGUN, "error": ONLY_BEGUN}
    portions = deque(
        Portion(
            reader.stream,
            _pieces(islice(records, kept), pile, RECORDS),
            _pieces(islice(refused, unread), pile, QUARANTINE),
            pa.Table.from_pylist(
                [begun] if number < len(cuts) else [whole, *parts], schema=LEDGER
            ),
            kept_bytes + unread_bytes,
        )
        for number, ((kept, kept_bytes), (unread, unread_bytes)) in enumerate(cuts, 1)
    )
    return Read(asked, portions, error)


def _cut(copies: Iterable[Copy], most: int | None) -> list[tuple[int, int]]:
    """Return how many copies go into each package, and their bytes."""
    cuts, count, size = [], 0, 0
    for copy in copies:
        if most is not None and count and size + copy.length > most:
            cuts.append((count, size))
            count = size = 0
        count, size = count + 1, size + copy.length
    return [*cuts, (count, size)]


def _reached(window: Window, reader: Reader, started: datetime) -> Window:
    """Return what of a window had come by the vendor's own clock.

    What is still to come there has not been read. Raises `VendorError` where that is
    all of it.
    """
    run = reader.terms.run
    if run is None or window.ids:
        return window
    theirs = started - run.behind
    until = theirs.replace(second=0, microsecond=0)
    if until <= window.start:
        raise VendorError(
            f"{window} has not begun by the vendor's clock, which says "
            f"{theirs:%Y-%m-%d %H:%M:%S}Z while the run's says "
            f"{started:%Y-%m-%d %H:%M:%S}Z; it is read again in the next run",
            reason=CLOCK,
        )
    return replace(window, end=min(window.end, until))


def _state_of(pile: Pile, reader: Reader) -> tuple[str, str | None]:
    """Return the state of a window that was read to its end, and the reason for it."""
    if reader.terms.counts_only:
        return "counted", None
    if pile.is_short:
        return "partial", SHORT
    if pile.counts_more:
        return "complete", COUNTS_MORE
    if not pile.is_steady:
        return "complete", UNSTEADY
    if pile.missing:  # until the whole run says what became of the records
        return "partial", MISSING
    return "complete", None


def _newest_of(pile: Pile) -> Kept:
    """Return what is stored of a window that was read."""
    return pile.seen or pile.kept


def _records(reader: Reader, pile: Pile, window: Window, fetched_at: datetime) -> _Rows:
    about = {
        "account": reader.account,
        "window_from": window.start,
        "fetched_at": fetched_at,
        "load_no": reader.terms.load_no,
    }
    for record_id, (event_at, _, copy) in _newest_of(pile).items():
        yield copy, {**about, "record_id": record_id, "event_at": event_at}


def _quarantine(
    reader: Reader, pile: Pile, window: Window, fetched_at: datetime
) -> _Rows:
    about = {
        "account": reader.account,
        "stream": reader.stream.name,
        "window_from": window.start,
        "window_to": window.end,
        "fetched_at": fetched_at,
        "load_no": reader.terms.load_no,
    }
    for number, reason, copy in pile.refused:
        yield copy, {**about, "record_no": number, "reason": reason}


def _pieces(rows: _Rows, pile: Pile, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield tables of some MiB of payloads each, at least one, read as they are asked.

    They bound what dlt, the parquet file and DuckDB hold at once.
    """
    piece: list[dict[str, Any]] = []
    size, is_first = 0, True
    for copy, row in rows:
        if pile.copies is None:  # then there are no rows
            break
        piece.append({**row, "payload": pile.copies.text(copy)})
        size += copy.length
        if size >= PIECE_BYTES:
            yield pa.Table.from_pylist(piece, schema=schema)
            piece, size, is_first = [], 0, False
    if piece or is_first:
        yield pa.Table.from_pylist(piece, schema=schema)


def _inside(stream: Stream, window: Window, pile: Pile) -> int | None:
    """Count what lies in the window by its own time, not a second beyond."""
    if not stream.is_by_own_time or window.ids:
        return None
    return sum(window.start <= at < window.end for at, _, _ in pile.kept.values())


def _is_not_granted(stream: Stream, error: VendorError) -> bool:
    return stream.is_optional and error.lacks_scope
