"""``callhouse rollback``: publish a snapshot, a file that was published before."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.commands.report import report_after_publish
from pipelines.config.model import Config
from pipelines.config.privacy import protection_of
from pipelines.config.toml_file import ConfigError
from pipelines.warehouse.journal import LoadResult, read_runs, write_runs
from pipelines.warehouse.locks import BUILD_TIMEOUT, in_turn
from pipelines.warehouse.migration import refuse_other_tables
from pipelines.warehouse.opening import (
    FileError,
    FileKind,
    is_present,
    private,
    refuse_damaged,
)
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.publish import publish, snapshots_of
from pipelines.warehouse.published_queries import Row, rows_of
from transforms.runner.storage import Place

if TYPE_CHECKING:
    from pipelines.warehouse.lake import Lake

COMMAND = "rollback"
"""Its name in the journal."""
SNAPSHOT = FileKind(
    "a snapshot",
    when_in_use="close it there",
    when_damaged="it was not published",
    when_newer="use the Callhouse that published it",
)


@dataclass(frozen=True)
class Snapshot:
    """A file that was published before."""

    name: str
    as_of: datetime | None
    """The time that its tables are as of; None: the file cannot be read."""
    calls: int | None
    """How many it has; None: the file cannot be read."""


@dataclass(frozen=True)
class RolledBack:
    """What a rollback did."""

    published: str
    kept: str | None
    """The snapshot of the file that was replaced; None: none is kept."""


def list_snapshots(warehouse: Warehouse) -> list[Snapshot]:
    """Return the snapshots, the newest first."""
    return [_described(name, place) for name, place in _all_of(warehouse).items()]


def roll_back(config: Config, now: datetime, name: str | None) -> RolledBack:
    """Publish the newest snapshot, or the one with this name, as a build is published.

    The file that it replaces is kept as a snapshot. Raises `ConfigError` if there is no
    such snapshot, and `FileError` for one that is damaged or has other tables.
    """
    warehouse = config.warehouse
    with in_turn(warehouse.build_lock, timeout=BUILD_TIMEOUT), private():
        found = _all_of(warehouse)
        chosen = _chosen([*found], name, warehouse)
        try:
            refuse_damaged(found[chosen], SNAPSHOT)
            refuse_other_tables(found[chosen])
        except FileError as error:
            older = [*found][[*found].index(chosen) + 1 :]
            remedy = (
                f"the next older one: callhouse rollback {older[0]}"
                if older
                else "there is no older one; run: callhouse transform"
            )
            raise FileError(f"{error}; {remedy}") from None
        _publish(config, now, found[chosen])
        newest = next(iter(_all_of(warehouse)), None)
        kept = newest if newest and newest not in found else None
        note = f"published the snapshot {chosen}"
        write_runs(warehouse, now, COMMAND, [LoadResult("", notes=(note,))])
    report_after_publish(config)
    return RolledBack(chosen, kept)


def _publish(config: Config, now: datetime, snapshot: "Path | Lake") -> None:
    lake = config.warehouse.lake_tables
    if isinstance(snapshot, Path):
        publish(
            snapshot,
            config.warehouse,
            now,
            config.keep_snapshots,
            mode=config.published_mode,
            numbers=protection_of(config.privacy, snapshot),
        )
    elif lake and snapshot.version is not None:
        lake.go_back(snapshot.version)
        lake.clean(config.keep_snapshots)


def rolled_back(warehouse: Warehouse) -> str | None:
    """Return a sentence if a snapshot is published, one that is older than the build.

    None: what is published is the newest build, or something else is wrong with it.
    """
    with suppress(FileError, OSError):
        if warehouse.lake is not None:
            return _gone_back(warehouse)
        if not is_present(warehouse.published) or not is_present(warehouse.build):
            return None
        files = (warehouse.published, warehouse.build)
        shown, built = (rows_of(one, "snapshot")[0]["as_of"] for one in files)
        last = _last_rollback(warehouse)
        # A build later than the rollback should have been published: a fault, not this.
        if last and shown < built <= last["started_at"]:
            return (
                f"{_rolled_back(last)}: its tables are as of "
                f"{shown:%Y-%m-%d %H:%M} UTC, those of the build as of "
                f"{built:%Y-%m-%d %H:%M} UTC"
            )
    return None


def _gone_back(warehouse: Warehouse) -> str | None:
    """Return a sentence if the newest tables of a lake are those of a snapshot."""
    last = _last_rollback(warehouse)
    if last is None:
        return None
    shown = rows_of(warehouse.tables, "snapshot")[0]["as_of"]
    # A build since then is of a later time.
    if shown >= last["started_at"]:
        return None
    return f"{_rolled_back(last)}: its tables are as of {shown:%Y-%m-%d %H:%M} UTC"


def _last_rollback(warehouse: Warehouse) -> Row | None:
    runs = read_runs(warehouse).to_pylist()
    return next((one for one in reversed(runs) if one["command"] == COMMAND), None)


def _rolled_back(run: Row) -> str:
    return f"callhouse rollback {run['note']}"


def _all_of(warehouse: Warehouse) -> "dict[str, Path | Lake]":
    """Return the snapshots by their names, the newest first."""
    if (lake := warehouse.lake_tables) is None:
        return {path.stem: path for path in snapshots_of(warehouse)}
    older = lake.versions()[1:] if lake.exists() else ()
    return {f"snapshot-{version}": lake.at(version) for version in older}


def _chosen(found: Sequence[str], name: str | None, warehouse: Warehouse) -> str:
    """Return the snapshot with a name, or the newest; raise if there is none."""
    if not found:
        place = warehouse.lake_tables or warehouse.snapshots.absolute()
        raise ConfigError(
            f"there is no snapshot in {place}; a run keeps what it replaces, as many "
            "as keep_snapshots says"
        )
    if name is None:
        return found[0]
    own = Path(name).name.removesuffix(".duckdb")
    if own in found:
        return own
    raise ConfigError(f"there is no snapshot {name!r}; see: callhouse rollback --list")


def _described(name: str, place: Place) -> Snapshot:
    try:
        (row,) = rows_of(place, "snapshot")
    except FileError:
        return Snapshot(name, None, None)
    return Snapshot(name, row["as_of"], row["calls"])
