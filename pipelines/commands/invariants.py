"""The invariants that can be checked in a warehouse as it is (docs/invariants.md).

``callhouse doctor`` prints one line each: it holds, it is broken and where, or it could
not be checked and why. Nothing is changed, and no request is sent to a vendor, except
with ``ask_vendors``: then their totals are compared as ``callhouse verify`` does.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path

import duckdb

from pipelines.commands.rollback import rolled_back
from pipelines.commands.verify import DIFFERENT, UNKNOWN, missing_windows, verify
from pipelines.config.model import Config
from pipelines.planning.planner import NOT_WHOLE, PastRead
from pipelines.planning.reasons import NOT_AUTHORIZED
from pipelines.planning.windows import merge, subtract
from pipelines.sources import streams_of, vendors
from pipelines.warehouse.ledger import past_reads, stored_windows, unbalanced
from pipelines.warehouse.locks import LockedError
from pipelines.warehouse.migration import locked_raw_file
from pipelines.warehouse.number_protection import PLAIN, protected_columns, shown_in
from pipelines.warehouse.opening import (
    BUILD_FILE,
    PUBLISHED_FILE,
    FileError,
    is_present,
    opened,
)
from pipelines.warehouse.publish import row_counts
from pipelines.warehouse.published_queries import rows_of
from pipelines.warehouse.records import unbuilt, went_back
from transforms.runner.storage import Place

HOLDS, BROKEN, UNCHECKED = "holds", "broken", "unchecked"


@dataclass(frozen=True)
class Invariant:
    """One invariant, and what was found out about it."""

    name: str
    promise: str
    state: str = HOLDS
    """holds, broken, or unchecked: it could not be checked."""
    where: tuple[str, ...] = ()
    """What breaks it, or why it could not be checked completely."""


@dataclass(frozen=True)
class Examined:
    """What the checks read."""

    config: Config
    now: datetime
    ask_vendors: bool

    @property
    def published(self) -> Place:
        """Return the path of the published file."""
        return self.config.warehouse.tables

    def raw_files(self) -> Iterator[tuple[str, Place]]:
        """Yield each vendor's raw file that is there; nobody writes it meanwhile."""
        for vendor in vendors():
            if is_present(self.config.warehouse.raw(vendor)):
                with locked_raw_file(self.config.warehouse, vendor) as raw:
                    yield vendor, raw


Check = Callable[[Examined], Iterator[str]]
"""Yields a sentence for everything that breaks an invariant."""


class _UncheckedError(Exception):
    """It cannot be checked; the text says why."""


def check_all(
    config: Config, now: datetime, *, ask_vendors: bool = False
) -> list[Invariant]:
    """Return what was found out about each invariant."""
    examined = Examined(config, now, ask_vendors)
    return [_checked(one, check, examined) for one, check in CHECKS.items()]


def _checked(one: Invariant, check: Check, examined: Examined) -> Invariant:
    found: list[str] = []
    try:
        found.extend(check(examined))
    except (_UncheckedError, FileError, LockedError, duckdb.CatalogException) as error:
        # What was found before that stays found.
        where = (*found, str(error).splitlines()[0])
        return replace(one, state=BROKEN if found else UNCHECKED, where=where)
    return replace(one, state=BROKEN if found else HOLDS, where=tuple(found))


def _nothing_lost(examined: Examined) -> Iterator[str]:
    published = examined.published
    rollback = rolled_back(examined.config.warehouse)
    is_compared = published.exists() and not rollback
    for vendor, raw in examined.raw_files():
        streams = [one for one in streams_of(vendor) if one.is_by_own_time]
        stored = [
            window for stream in streams for window in stored_windows(raw, stream)
        ]
        short = missing_windows(stored)
        if short:
            yield (
                f"{vendor}: {len(short)} windows have fewer records than came, the "
                f"first is {short[0].start:%Y-%m-%d}; callhouse verify says what mends"
            )
        for stream in {one.table: one for one in streams if one.calls}.values():
            days = unbuilt(raw, published, vendor, stream) if is_compared else []
            if days:
                calls = sum(count for _, _, count in days)
                yield (
                    f"{vendor}: {calls} stored calls are not published, the first of "
                    f"{days[0][1]:%Y-%m-%d}; run: callhouse transform --full"
                )
    if examined.ask_vendors:
        yield from _other_totals(examined)
    if rollback:
        raise _UncheckedError(_not_compared("the raw files", rollback))


def _other_totals(examined: Examined) -> Iterator[str]:
    for vendor in examined.config.vendors:
        verdict = verify(vendor, examined.config, examined.now)
        for kind in (DIFFERENT, UNKNOWN):
            found = [one for one in verdict.findings if one.kind == kind]
            if found:
                yield (
                    f"{vendor.name}: the vendor's total of {len(found)} windows is "
                    f"{kind}; callhouse verify names them"
                )


def _nothing_twice(examined: Examined) -> Iterator[str]:
    for row in rows_of(_built(examined), "call_more_than_once"):
        yield f"{row['vendor']}, {row['account']}: {row['calls']} calls are there twice"


def _never_back(examined: Examined) -> Iterator[str]:
    for vendor, raw in examined.raw_files():
        for table in dict.fromkeys(one.table for one in streams_of(vendor)):
            for account, count in went_back(raw, table):
                yield f"{vendor}, {account}: {count} {table} have an older version last"


def _one_whole_run(examined: Examined) -> Iterator[str]:
    published, build_file = _to_compare(examined)
    of_build = row_counts(build_file, BUILD_FILE)
    of_file = row_counts(published, PUBLISHED_FILE)
    for table in sorted(of_build.keys() | of_file.keys()):
        if of_build.get(table) != of_file.get(table):
            yield (
                f"{table} has {of_file.get(table)} rows and {of_build.get(table)} in "
                "the build; run: callhouse transform"
            )


def _no_holes(examined: Examined) -> Iterator[str]:
    for vendor, raw in examined.raw_files():
        whole = {one.name for one in streams_of(vendor) if not one.is_full_refresh}
        # A list that an account may not read is asked for one window in each run.
        reads = [
            one
            for one in past_reads(raw)
            if one.stream in whole and one.purpose not in NOT_WHOLE
            if one.reason != NOT_AUTHORIZED
        ]
        for place, own in groupby(sorted(reads, key=_place), _place):
            for start, end in _holes(list(own)):
                yield (
                    f"{vendor}, {', '.join(place)}: nothing was read from "
                    f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
                )


def _place(read: PastRead) -> tuple[str, str]:
    return read.account, read.stream


def _holes(reads: list[PastRead]) -> list[tuple[datetime, datetime]]:
    """Return the holes since the history began; a backfill may lie far before it."""
    own = [one for one in reads if one.purpose in {"nightly", "retry"}]
    if not own:
        return []
    begin = min(one.interval[0] for one in own)
    end = max(one.interval[1] for one in reads)
    return subtract((begin, end), merge(one.interval for one in reads))


def _balanced(examined: Examined) -> Iterator[str]:
    unknown = 0
    for vendor, raw in examined.raw_files():
        for account, stream, first, count, older in unbalanced(raw):
            unknown += older
            if count:
                yield (
                    f"{vendor}, {account}, {stream}: of {count} reads not every record "
                    f"is stored, unchanged or in quarantine; the first is of "
                    f"{first:%Y-%m-%d}"
                )
    if unknown:
        raise _UncheckedError(
            f"{unknown} reads of an older version are not accounted for"
        )


def _money_is_exact(examined: Examined) -> Iterator[str]:
    for row in rows_of(_built(examined), "money_not_exact"):
        place = f"{row['vendor']}, {row['currency']}"
        yield f"{place}: calls cost {row['total']}, their parts {row['parts']}"


def _same_contents(examined: Examined) -> Iterator[str]:
    published, build_file = _to_compare(examined)
    is_plain = shown_in(published) == PLAIN
    with (
        opened(build_file, BUILD_FILE) as build,
        opened(published, PUBLISHED_FILE) as file,
    ):
        hidden = frozenset[tuple[str, str]]() if is_plain else protected_columns(build)
        for table in ("main.fact_calls", "main.fact_call_costs", "main.fact_call_legs"):
            sums = {_checksum(one, table, hidden) for one in (build, file)}
            if len(sums) > 1:
                yield f"{table} is not what was built; run: callhouse transform"


def _checksum(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    hidden: Collection[tuple[str, str]],
) -> tuple[int, ...]:
    """Return a checksum of a table without the columns that are ``hidden``."""
    rows = connection.table(table)
    names = [f'"{one}"' for one in rows.columns if (table, one) not in hidden]
    found: tuple[int, ...] = rows.aggregate(
        f"count(*), sum(hash({', '.join(names)})::hugeint)"
    ).fetchall()[0]
    return found


def _to_compare(examined: Examined) -> tuple[Place, Path]:
    """Return the published file and the build that it should be a copy of."""
    published, build_file = _built(examined), examined.config.warehouse.build
    if not isinstance(published, Path):
        raise _UncheckedError("a lake has its tables once, so there is no copy of them")
    if not is_present(build_file):
        raise _UncheckedError(f"{build_file} is not there to compare with")
    if rollback := rolled_back(examined.config.warehouse):
        raise _UncheckedError(_not_compared("the build", rollback))
    return published, build_file


def _not_compared(what: str, rollback: str) -> str:
    return f"what is published is not compared with {what}, since {rollback}"


def _built(examined: Examined) -> Place:
    if not is_present(examined.published):
        raise _UncheckedError(
            f"{examined.published} is not there; callhouse run makes it"
        )
    return examined.published


CHECKS: dict[Invariant, Check] = {
    Invariant("I2", "nothing that was read is lost"): _nothing_lost,
    Invariant("I3", "no call is there twice"): _nothing_twice,
    Invariant("I5", "no version goes back"): _never_back,
    Invariant("I6", "what is published is one whole build"): _one_whole_run,
    Invariant("I7", "no hole between windows"): _no_holes,
    Invariant("I8", "each record that came is accounted for"): _balanced,
    Invariant("I9", "contents are those of the build"): _same_contents,
    Invariant("I10", "money adds up exactly, by currency"): _money_is_exact,
}
