"""``callhouse erase``: a person is gone from every byte of the warehouse, and stays so.

The list comes first, so that no load brings back what was erased meanwhile, and then
the marks of unfinished work, so that a run finishes what is interrupted here.
"""

import mmap
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from phonenumbers import SUPPORTED_REGIONS, parse, region_code_for_number

from pipelines.commands.build import make_warehouse
from pipelines.commands.unfinished import build_and_finish, suppressions_of
from pipelines.config.model import Config
from pipelines.config.privacy import mac_key
from pipelines.config.toml_file import ConfigError
from pipelines.load.erased_records import calls_of
from pipelines.load.written_forms import listed_forms, name_form
from pipelines.sources import vendors
from pipelines.warehouse.journal import LoadResult, write_runs
from pipelines.warehouse.locks import BUILD_TIMEOUT, in_turn, tell
from pipelines.warehouse.migration import locked_raw_file
from pipelines.warehouse.opening import RAW_FILE, FileError, is_present, read
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.suppression_list import (
    CALL,
    NAME,
    NUMBER,
    SuppressionList,
    note_unfinished,
    read_list,
    unfinished,
)
from transforms.runner.phone_numbers import read_number
from transforms.runner.storage import Place

FOR_COUNTING = b"of a list that is never stored"
"""The key with which calls are counted before anything is erased."""
MOST_CALLS = 500
"""A number of more calls is probably one of the business itself."""
_PARTS = 3
"""Vendor, account and id: the parts of a call's key."""


@dataclass(frozen=True)
class Person:
    """Whom to erase, as a list knows them."""

    kind: str
    texts: frozenset[str]
    """The forms of a number, a name, or the key of a call."""
    digits: str = ""
    """Of a number, with the country code."""


@dataclass(frozen=True)
class Erasure:
    """What an erasure concerns, or concerned."""

    calls: Mapping[tuple[str, str], int]
    """Records of calls, by vendor and account."""
    is_done: bool
    searched: int = 0
    """Files that were searched for the number, byte by byte."""
    unsure: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Records that are not concerned: of accounts without a region, with the number's
    national form, which may be a number of another country."""

    @property
    def total(self) -> int:
        """The number of calls."""
        return sum(self.calls.values())


def person_of(text: str, region: str | None, *, is_name: bool = False) -> Person:
    """Return whom a text names; raise `ConfigError` for one that cannot be read.

    ``region`` is the country of a number in national form. With ``is_name`` the text is
    a name, exactly as a vendor writes it.
    """
    if region is not None and region not in SUPPORTED_REGIONS:
        raise ConfigError(
            f"--region {region} is not a region; write ISO 3166-1 alpha-2, such as DE"
        )
    text = text.strip()
    parts = text.split(":", _PARTS - 1)
    if is_name and text:
        return Person(NAME, frozenset({name_form(text)}))
    if len(parts) == _PARTS and parts[0] in vendors() and all(parts):
        return Person(CALL, frozenset({text}))
    found = read_number(text, region)
    if found.e164 is not None:
        digits = found.e164.removeprefix("+")
        return Person(NUMBER, frozenset(listed_forms(found.e164)), digits)
    if found.kind == "sip":
        return Person(NAME, frozenset({name_form(text)}))
    raise ConfigError(
        "that is neither a phone number nor a call's key, vendor:account:id as in "
        "fact_calls.call_key; write a number in full, with + and country code, or name "
        "its country, as in --region DE; a name as vendors write it goes with --name"
    )


def erase(
    config: Config,
    now: datetime,
    person: Person,
    *,
    dry_run: bool = False,
    confirmed: bool = False,
) -> Erasure:
    """Erase a person from the warehouse; with ``dry_run``, only count the calls.

    Raises `ConfigError` for a call that is not stored, and, unless it is ``confirmed``,
    for a person of more than `MOST_CALLS` calls and for a warehouse without files;
    `FileError` if something is left.
    """
    warehouse = config.warehouse
    is_empty = not any(map(is_present, _files_with_calls(warehouse)))
    if is_empty and not confirmed:
        raise ConfigError(
            f"{warehouse.root} has no files, so there is nothing to erase, and nothing "
            "is changed; name the folder of your warehouse, or, if calls that come "
            "later are meant, repeat it with --yes"
        )
    only = SuppressionList(FOR_COUNTING).with_texts(person.kind, person.texts)
    calls = _calls_of(config, only)
    unsure = _calls_of(config, only, home) if (home := _region_of(person)) else {}
    more = {one: n for one in unsure if (n := unsure[one] - calls.get(one, 0))}
    found = Erasure(calls, is_done=False, unsure=more)
    if person.kind == CALL and not found.total:
        (key,) = person.texts
        raise ConfigError(f"there is no call {key!r} in the raw files")
    if dry_run:
        return found
    if found.total > MOST_CALLS and not confirmed:
        raise ConfigError(
            f"this concerns {found.total:,} calls, so it is probably a number of your "
            "own; nothing is erased yet; if it is meant, repeat it with --yes"
        )
    make_warehouse(config)
    with in_turn(warehouse.privacy_lock, timeout=BUILD_TIMEOUT):
        listed = _list_of(config, make_key=True)
        listed.with_texts(person.kind, person.texts).write(warehouse)
        if is_empty:
            return replace(found, is_done=True)
    for vendor in vendors():
        note_unfinished(warehouse, vendor, is_whole=True)
    build_and_finish(config, now)
    if left := unfinished(warehouse):
        raise FileError(
            f"the erasure is not finished ({', '.join(left)}); the next run or "
            "transform finishes it"
        )
    write_runs(warehouse, now, "erase", _results(calls))
    return replace(found, is_done=True, searched=_searched(warehouse, person.digits))


def lift(config: Config, person: Person) -> bool:
    """Take a person from the list: calls that come later are stored as they come.

    Return False if they are not on it. What was erased stays erased.
    """
    warehouse = config.warehouse
    make_warehouse(config)
    with in_turn(warehouse.privacy_lock, timeout=BUILD_TIMEOUT):
        listed = _list_of(config, make_key=False)
        is_listed = any(listed.has(person.kind, one) for one in person.texts)
        if is_listed:
            listed.without_texts(person.kind, person.texts).write(warehouse)
    return is_listed


def _list_of(config: Config, *, make_key: bool) -> SuppressionList:
    """Return the list, or a new one, with ``make_key`` of a key that is made for it."""
    found = read_list(config.warehouse, lambda: mac_key(config.privacy))
    if found is not None:
        return found
    return SuppressionList(mac_key(config.privacy, make=make_key) or FOR_COUNTING)


def _region_of(person: Person) -> str | None:
    """Return the country in which a number is dialled in its national form."""
    if not person.digits:
        return None
    return region_code_for_number(parse(f"+{person.digits}"))


def _calls_of(
    config: Config, listed: SuppressionList, elsewhere: str | None = None
) -> dict[tuple[str, str], int]:
    """Count the stored calls of those on a list, by vendor and account.

    ``elsewhere`` is taken for the region of an account that has none.
    """
    found: Counter[tuple[str, str]] = Counter()
    suppressions = suppressions_of(config)
    for vendor in _raw_files(config.warehouse):
        own = suppressions[vendor].with_list(listed, elsewhere)
        try:
            with (
                locked_raw_file(config.warehouse, vendor) as raw,
                read(raw, RAW_FILE) as file,
            ):
                found.update((vendor, account) for account, _ in calls_of(file, own))
        except FileError as error:
            tell(f"the calls of {vendor} cannot be counted: {error}")
    return dict(sorted(found.items()))


def _raw_files(warehouse: Warehouse) -> list[str]:
    """Return the vendors that have a raw file."""
    return [one for one in vendors() if is_present(warehouse.raw(one))]


def _files_with_calls(warehouse: Warehouse) -> Iterator[Place]:
    """Yield all files and lakes that can have calls, whether they exist or not."""
    yield from (warehouse.raw(one) for one in vendors())
    yield from (warehouse.tables, warehouse.to_build)
    yield from warehouse.snapshots.glob("*")


def _results(calls: Mapping[tuple[str, str], int]) -> list[LoadResult]:
    """Return the lines of the journal: counts, and no number."""
    by_vendor: Counter[str] = Counter()
    for (vendor, _), count in calls.items():
        by_vendor[vendor] += count
    found = [LoadResult(one, records=n, changed=n) for one, n in by_vendor.items()]
    return found or [LoadResult("", notes=("no call was concerned",))]


def _searched(warehouse: Warehouse, digits: str) -> int:
    """Search every byte of every file for a number; return how many files there are.

    Raises `FileError` that names the files with the number.
    """
    if not digits:
        return 0
    gap = rb"[\s().\-/]{0,3}"
    written = gap.join(one.encode() for one in digits)
    pattern = re.compile(rb"(?<!\d)(?:00|011)?" + written + rb"(?!\d)")
    files = list(_files(warehouse.root))
    left = [str(path) for path in files if _has(path, pattern)]
    if left:
        raise FileError(
            f"the number is still in {', '.join(left)}; if it is a file of yours, "
            "delete it, else please report it"
        )
    return len(files) + _searched_lakes(warehouse, digits)


def _searched_lakes(warehouse: Warehouse, digits: str) -> int:
    """Search every value of every lake; their files are compressed."""
    gap = r"[\s().\-/]{0,3}"
    pattern = rf"(?:^|[^0-9])(?:00|011)?{gap.join(digits)}(?:[^0-9]|$)"
    lakes = {one for one in _files_with_calls(warehouse) if not isinstance(one, Path)}
    return sum(lake.search(pattern) for lake in lakes if is_present(lake))


def _files(folder: Path) -> Iterator[Path]:
    found: Iterable[Path] = sorted(folder.rglob("*"))
    return (one for one in found if one.is_file() and not one.is_symlink())


def _has(path: Path, pattern: re.Pattern[bytes]) -> bool:
    with path.open("rb") as file:
        if not path.stat().st_size:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return pattern.search(content) is not None
