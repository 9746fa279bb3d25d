"""Where everything lies in a warehouse. No file is opened or made here.

The names on disk stay as they are: another version of the program that runs at the
same time must wait at the same locks.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.warehouse.lake import Lake, LakeStore
    from pipelines.warehouse.locks import Lock
    from transforms.runner.storage import Place


@dataclass(frozen=True)
class Warehouse:
    """The folder of a warehouse, and the path of each thing in it."""

    root: Path
    lake: "LakeStore | None" = None
    """Where the tables are, if they are not files of this folder."""

    def raw(self, vendor: str) -> "Place":
        """Return where a vendor's records and its ledger are: a file, or a lake."""
        return self._lake(f"raw_{vendor}") or self.raw_file(vendor)

    def raw_file(self, vendor: str) -> Path:
        """Return the path of a vendor's raw file."""
        return self.raw_folder / f"{vendor}.duckdb"

    def work_folder(self, vendor: str) -> Path:
        """Return dlt's working folder, which is emptied before and after each load."""
        return self._work / vendor

    def raw_lock(self, vendor: str) -> Path:
        """Return the lock of a raw file: one writer, or several readers."""
        return self.locks / f"{vendor}.file.lock"

    def vendor_lock(self, vendor: str) -> "Lock":
        """Return the lock for reading a vendor, one process at a time."""
        return self._leased(f"raw_{vendor}", self.locks / f"{vendor}.run.lock")

    def queue_lock(self, vendor: str) -> "Lock":
        """Return the lock of the process that gets `vendor_lock` next."""
        return self._leased(f"queue_{vendor}", self.locks / f"{vendor}.turn.lock")

    def backfill_lock(self, vendor: str) -> Path:
        """Return the lock of a vendor's backfill, from its first batch to its last."""
        return self.locks / f"{vendor}.backfill.lock"

    @property
    def run_lock(self) -> Path:
        """The lock of a run over all vendors."""
        return self.locks / "run.lock"

    @property
    def build_lock(self) -> "Lock":
        """The lock for building and publishing."""
        return self._leased("tables", self.locks / "build.lock")

    @property
    def privacy_lock(self) -> Path:
        """The lock for writing the suppression list."""
        return self.locks / "privacy.lock"

    @property
    def incidents_lock(self) -> Path:
        """The lock for telling of incidents."""
        return self.locks / "incidents.lock"

    @property
    def journal_lock(self) -> Path:
        """The lock for writing the journal."""
        return self.locks / "journal.lock"

    @property
    def raw_folder(self) -> Path:
        """The folder of the raw files."""
        return self.root / "raw"

    @property
    def privacy(self) -> Path:
        """The folder of what is to stay erased; there may be none."""
        return self.root / "privacy"

    @property
    def locks(self) -> Path:
        """The folder of the locks."""
        return self.root / "locks"

    @property
    def _work(self) -> Path:
        return self.root / "dlt"

    @property
    def private_folders(self) -> tuple[Path, ...]:
        """The folders that nobody but their owner may enter."""
        return self.raw_folder, self.locks, self._work, self.privacy

    @property
    def build(self) -> Path:
        """The private file in which the models are built."""
        return self.root / "build.duckdb"

    @property
    def shards(self) -> Path:
        """The folder of a build in shards: it is there during such a build alone."""
        return self.root / "shards"

    @property
    def published(self) -> Path:
        """The file that analysts open: a symbolic link to the newest published one."""
        return self.root / "calls.duckdb"

    @property
    def tables(self) -> "Place":
        """What analysts read, of whatever kind: the published file, or a lake."""
        return self.lake_tables or self.published

    @property
    def to_build(self) -> "Place":
        """Where the models are built: the private file, or the lake itself."""
        return self.lake_tables or self.build

    @property
    def lake_tables(self) -> "Lake | None":
        """The lake of the built tables; None: they are in files."""
        return self._lake("tables")

    def _leased(self, name: str, path: Path) -> "Lock":
        """Return a lock: that of this machine alone, or with a lake of all machines."""
        if self.lake is None:
            return path
        from pipelines.warehouse.lease import LakeLease  # noqa: PLC0415 - as below

        return LakeLease(self.lake, name, path)

    def _lake(self, name: str) -> "Lake | None":
        if self.lake is None:
            return None
        from pipelines.warehouse.lake import Lake  # noqa: PLC0415 - only for a lake

        return Lake(self.lake, name, self._work / f"{name}.tmp")

    @property
    def published_folder(self) -> Path:
        """The folder in which each published file has a folder of its own."""
        return self.root / "published"

    @property
    def snapshots(self) -> Path:
        """The folder of files that were published before; they are the backups."""
        return self.root / "snapshots"

    @property
    def report(self) -> Path:
        """The page about the published file."""
        return self.root / "report.html"

    @property
    def reports(self) -> Path:
        """The folder of the pages of earlier days, each named by its date."""
        return self.root / "reports"

    @property
    def journal(self) -> Path:
        """The journal of runs."""
        return self.root / "runs.jsonl"

    @property
    def incidents(self) -> Path:
        """The incidents that services were notified of and that are not over."""
        return self.root / "incidents.json"

    @property
    def origin(self) -> Path:
        """The file that says whose calls these are: the vendors' or the sandbox's."""
        return self.root / "origin"
