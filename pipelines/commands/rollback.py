"""``callhouse rollback``: publish a snapshot, a file that was published before."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

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
from pipelines.warehouse.published_queries import rows_of

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
    return [_described(path) for path in snapshots_of(warehouse)]


def roll_back(config: Config, now: datetime, name: str | None) -> RolledBack:
    """Publish the newest snapshot, or the one with this name, as a build is published.

    The file that it replaces is kept as a snapshot. Raises `ConfigError` if there is no
    such snapshot, and `FileError` for one that is damaged or has other tables.
    """
    warehouse = config.warehouse
    with in_turn(warehouse.build_lock, timeout=BUILD_TIMEOUT), private():
        found = snapshots_of(warehouse)
        chosen = _chosen(found, name, warehouse)
        try:
            refuse_damaged(chosen, SNAPSHOT)
            refuse_other_tables(chosen)
        except FileError as error:
            older = found[found.index(chosen) + 1 :]
            remedy = (
                f"the next older one: callhouse rollback {older[0].stem}"
                if older
                else "there is no older one; run: callhouse transform"
            )
            raise FileError(f"{error}; {remedy}") from None
        publish(
            chosen,
            warehouse,
            now,
            config.keep_snapshots,
            mode=config.published_mode,
            numbers=protection_of(config.privacy, chosen),
        )
        newest = next(iter(snapshots_of(warehouse)), None)
        kept = newest.stem if newest and newest not in found else None
        note = f"published the snapshot {chosen.stem}"
        write_runs(warehouse, now, COMMAND, [LoadResult("", notes=(note,))])
    report_after_publish(config)
    return RolledBack(chosen.stem, kept)


def rolled_back(warehouse: Warehouse) -> str | None:
    """Return a sentence if a snapshot is published, one that is older than the build.

    None: what is published is the newest build, or something else is wrong with it.
    """
    with suppress(FileError, OSError):
        if not is_present(warehouse.published) or not is_present(warehouse.build):
            return None
        files = (warehouse.published, warehouse.build)
        shown, built = (rows_of(one, "snapshot")[0]["as_of"] for one in files)
        runs = read_runs(warehouse).to_pylist()
        last = next((one for one in reversed(runs) if one["command"] == COMMAND), None)
        # A build later than the rollback should have been published: a fault, not this.
        if last and shown < built <= last["started_at"]:
            return (
                f"callhouse rollback {last['note']}: its tables are as of "
                f"{shown:%Y-%m-%d %H:%M} UTC, those of the build as of "
                f"{built:%Y-%m-%d %H:%M} UTC"
            )
    return None


def _chosen(found: Sequence[Path], name: str | None, warehouse: Warehouse) -> Path:
    """Return the snapshot with a name, or the newest; raise if there is none."""
    if not found:
        raise ConfigError(
            f"there is no snapshot in {warehouse.snapshots.absolute()}; a run keeps "
            "the file that it replaces, as many as keep_snapshots says"
        )
    if name is None:
        return found[0]
    for path in found:
        if Path(name).name in {path.name, path.stem}:
            return path
    raise ConfigError(f"there is no snapshot {name!r}; see: callhouse rollback --list")


def _described(path: Path) -> Snapshot:
    try:
        (row,) = rows_of(path, "snapshot")
    except FileError:
        return Snapshot(path.stem, None, None)
    return Snapshot(path.stem, row["as_of"], row["calls"])
