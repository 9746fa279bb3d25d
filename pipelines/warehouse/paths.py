"""Where everything lies in a warehouse folder. No file is opened or made here.

The names on disk stay as they are: another version of the program that runs at the
same time must wait at the same locks.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Warehouse:
    """The folder of a warehouse, and the path of each thing in it."""

    root: Path

    def raw(self, vendor: str) -> Path:
        """Return the path of a vendor's raw file."""
        return self.raw_folder / f"{vendor}.duckdb"

    def work_folder(self, vendor: str) -> Path:
        """Return dlt's working folder, which is emptied before and after each load."""
        return self._work / vendor

    def raw_lock(self, vendor: str) -> Path:
        """Return the lock of a raw file: one writer, or several readers."""
        return self.locks / f"{vendor}.file.lock"

    def vendor_lock(self, vendor: str) -> Path:
        """Return the lock for reading a vendor, one process at a time."""
        return self.locks / f"{vendor}.run.lock"

    def queue_lock(self, vendor: str) -> Path:
        """Return the lock of the process that gets `vendor_lock` next."""
        return self.locks / f"{vendor}.turn.lock"

    def backfill_lock(self, vendor: str) -> Path:
        """Return the lock of a vendor's backfill, from its first batch to its last."""
        return self.locks / f"{vendor}.backfill.lock"

    @property
    def run_lock(self) -> Path:
        """The lock of a run over all vendors."""
        return self.locks / "run.lock"

    @property
    def build_lock(self) -> Path:
        """The lock for building and publishing."""
        return self.locks / "build.lock"

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
    def published(self) -> Path:
        """The file that analysts open: a symbolic link to the newest published one."""
        return self.root / "calls.duckdb"

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
