"""``callhouse quarantine``: records that could not be read, and another try at them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from pipelines.commands.unfinished import suppressions_of
from pipelines.config.model import Config
from pipelines.config.toml_file import ConfigError
from pipelines.extract.errors import escaped
from pipelines.load.quarantine import Unreadable, quarantined, store_readable
from pipelines.load.suppression import Suppression
from pipelines.load.turns import EXIT_TIMEOUT
from pipelines.sources import vendors
from pipelines.warehouse.locks import in_turn, only_one
from pipelines.warehouse.opening import RAW_FILE, is_present, refusing, writing
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.suppression_list import note_unfinished
from transforms.runner.storage import reading


@dataclass(frozen=True)
class Retried:
    """What a retry did for one vendor."""

    vendor: str
    stored: int
    """Records that could be read and left the quarantine."""
    left: Sequence[Unreadable]
    """Records that still cannot be read."""


def unreadable(
    warehouse: Warehouse, names: Iterable[str] | None, accounts: Iterable[str] | None
) -> list[Unreadable]:
    """Return the records in quarantine, the oldest first.

    ``names`` are vendors; without names, all vendors and accounts. Raises `ConfigError`
    for an unknown vendor.
    """
    found: list[Unreadable] = []
    for vendor in _vendors(names):
        raw = warehouse.raw(vendor)
        with in_turn(warehouse.raw_lock(vendor), shared=True):
            if is_present(raw):
                with refusing(raw, RAW_FILE), reading(raw) as file:
                    file.execute("set TimeZone = 'UTC'")
                    found += quarantined(file, vendor, accounts)
    return sorted(found, key=lambda one: (one.first_seen, one.vendor))


def by_reason(found: Iterable[Unreadable]) -> list[dict[str, Any]]:
    """Return counts and times by vendor, account and reason, without any payload."""
    groups: dict[tuple[str, str, str], list[Unreadable]] = {}
    for one in found:
        groups.setdefault((one.vendor, one.account, one.reason), []).append(one)
    return [
        {
            "vendor": vendor,
            "account": account,
            "reason": reason,
            "records": len(group),
            "open": sum(one.is_open for one in group),
            "first_seen": min(one.first_seen for one in group),
            "last_seen": max(one.last_seen for one in group),
        }
        for (vendor, account, reason), group in sorted(groups.items())
    ]


def shown(found: Sequence[Unreadable], numbers: Iterable[int]) -> Iterator[str]:
    """Yield the lines that show records as they came; without ``numbers``, all.

    Raises `ConfigError` for a number that no record has.
    """
    wanted = set(numbers)
    if unknown := wanted - set(range(1, len(found) + 1)):
        raise ConfigError(
            f"there is no record {min(unknown)} in quarantine, only {len(found)}; "
            "see: callhouse quarantine show"
        )
    for number, one in enumerate(found, start=1):
        if not wanted or number in wanted:
            state = "open" if one.is_open else "no longer listed"
            yield (
                f"{number}: {one.vendor} {one.account} {one.stream}, {state}, seen "
                f"{one.first_seen:%Y-%m-%d %H:%M} to {one.last_seen:%Y-%m-%d %H:%M} UTC"
            )
            yield f"  {escaped(one.reason)}"
            yield f"  {escaped(one.payload)}"


def retry(
    config: Config, names: Iterable[str] | None, accounts: Iterable[str] | None
) -> list[Retried]:
    """Store the records that the present code can read, dated as they came.

    All records of a vendor move in one transaction. Raises `LockedError` if a vendor is
    being loaded, before any record is moved.
    """
    warehouse, suppressions = config.warehouse, suppressions_of(config)
    chosen = [one for one in _vendors(names) if is_present(warehouse.raw(one))]
    with ExitStack() as locks:
        for vendor in chosen:
            lock, what = warehouse.vendor_lock(vendor), f"loading {vendor}"
            locks.enter_context(only_one(lock, what, timeout=EXIT_TIMEOUT))
        return [_retry(warehouse, suppressions[one], accounts) for one in chosen]


def _retry(
    warehouse: Warehouse, suppression: Suppression, accounts: Iterable[str] | None
) -> Retried:
    vendor = suppression.vendor
    raw = warehouse.raw(vendor)
    with (
        in_turn(warehouse.raw_lock(vendor)),
        writing(raw) as file,
        refusing(raw, RAW_FILE),
    ):
        file.execute("set TimeZone = 'UTC'")
        found = quarantined(file, vendor, accounts)
        readable = [one for one in found if one.event_at is not None]
        if readable:
            file.begin()
            if store_readable(file, suppression, readable):
                note_unfinished(warehouse, vendor)
            file.commit()  # closing without it is the rollback
    left = [one for one in found if one.event_at is None]
    return Retried(vendor, len(readable), left)


def left_by_reason(left: Iterable[Unreadable]) -> Counter[str]:
    """Count the records that still cannot be read, by reason."""
    return Counter(one.reason for one in left)


def _vendors(names: Iterable[str] | None) -> list[str]:
    chosen = list(dict.fromkeys(names or vendors()))
    for name in chosen:
        if name not in vendors():
            raise ConfigError(
                f"--vendor {name}: not a vendor; there are: {', '.join(vendors())}"
            )
    return chosen
