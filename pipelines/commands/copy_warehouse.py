"""``callhouse warehouse copy``: move a warehouse from files into a lake, or back.

Nothing is asked of a vendor. Each vendor's records with all their versions and its
ledger are a copy of their own, and the tables another one; each is whole or not there,
and proved equal before it counts. So the command can be repeated after a kill: what is
equal already is left as it is.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipelines.commands.build import make_warehouse
from pipelines.config.lake import LAKE
from pipelines.config.model import Config
from pipelines.config.privacy import protection
from pipelines.config.toml_file import ConfigError
from pipelines.sources import vendors
from pipelines.warehouse.copying import copy_place
from pipelines.warehouse.ledger import load_ids, next_load
from pipelines.warehouse.locks import BUILD_TIMEOUT, in_turn, only_one
from pipelines.warehouse.migration import migrate
from pipelines.warehouse.opening import BUILD_FILE, RAW_FILE, is_present
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.publish import publish
from pipelines.warehouse.suppression_list import unfinished
from transforms.runner.storage import Place


@dataclass(frozen=True)
class Copied:
    """What was copied of one place."""

    place: str
    """Where it is now."""
    rows: int
    is_new: bool
    """False: it was equal before."""


def copy_warehouse(
    config: Config, now: datetime, to: str, *, replace_newer: bool = False
) -> list[Copied]:
    """Copy all records, ledgers and tables into a lake, or into files.

    Nobody loads or builds meanwhile. What the target has is replaced. Raises
    `ConfigError` if no lake is configured, and, unless ``replace_newer``, if the target
    has loads that would be lost; `FileError` if something cannot be read or written.
    """
    if config.lake is None:
        raise ConfigError(
            "no lake is configured; write [warehouse] catalog and data (docs/scale.md)"
        )
    root = config.warehouse.root
    file, lake = Warehouse(root), Warehouse(root, config.lake)
    source, target = (file, lake) if to == LAKE else (lake, file)
    make_warehouse(config)
    with _alone(lake):
        if names := ", ".join(unfinished(file)):
            raise ConfigError(
                f"an erasure is not finished ({names}); run first: callhouse transform"
            )
        raw = {one: source.raw(one) for one in vendors() if is_present(source.raw(one))}
        if not raw:
            raise ConfigError(f"there is nothing to copy in {_name(source)}")
        for vendor in vendors():
            migrate(source.raw(vendor), source.raw_lock(vendor))
        if not replace_newer:
            _refuse_newer(raw, target)
        return list(_copied(config, now, raw, source, target))


def _copied(
    config: Config,
    now: datetime,
    raw: Mapping[str, Place],
    source: Warehouse,
    target: Warehouse,
) -> Iterator[Copied]:
    for vendor, place in raw.items():
        into, number = target.raw(vendor), next_load(place)
        rows, is_new = copy_place(place, into, RAW_FILE, next_load=number)
        yield Copied(f"{into}", rows, is_new)
    if not is_present(source.to_build):
        return
    rows, is_new = copy_place(source.to_build, target.to_build, BUILD_FILE)
    yield Copied(f"{target.tables}", rows, is_new)
    if isinstance(target.to_build, Path):
        publish(
            target.to_build,
            target,
            now,
            config.keep_snapshots,
            mode=config.published_mode,
            numbers=protection(config.privacy),
        )


def _refuse_newer(raw: Mapping[str, Place], target: Warehouse) -> None:
    """Raise `ConfigError` if the target has loads that the source lacks."""
    for vendor in vendors():
        there = target.raw(vendor)
        own = load_ids(raw[vendor]) if vendor in raw else set()
        if is_present(there) and (lost := load_ids(there) - own):
            raise ConfigError(
                f"{there} has {len(lost)} loads that would be lost; if the other "
                "warehouse is the right one, repeat it with --replace"
            )


@contextmanager
def _alone(warehouse: Warehouse) -> Iterator[None]:
    """Let nobody load or build until the block ends."""
    what = "a copy of the warehouse"
    with ExitStack() as locks:
        locks.enter_context(only_one(warehouse.run_lock, what))
        for vendor in vendors():
            locks.enter_context(only_one(warehouse.backfill_lock(vendor), what))
            locks.enter_context(only_one(warehouse.vendor_lock(vendor), what))
        locks.enter_context(in_turn(warehouse.build_lock, timeout=BUILD_TIMEOUT))
        yield


def _name(warehouse: Warehouse) -> str:
    return f"{warehouse.lake_tables or warehouse.root.absolute()}"
