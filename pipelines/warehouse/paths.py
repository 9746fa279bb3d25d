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
        """Return the path of a vendor's own file."""
        return self.raw_folder / f"{vendor}.duckdb"

    def work_folder(self, vendor: str) -> Path:
        """Return where dlt works; all of it is deleted before each load and after."""
        return self._work / vendor

    def raw_lock(self, vendor: str) -> Path:
        """Return the lock that a raw file's writer and its readers take in turn."""
        return self.locks / f"{vendor}.file.lock"

    def vendor_lock(self, vendor: str) -> Path:
        """Return the lock of who asks a vendor: one at a time, for pace and quota."""
        return self.locks / f"{vendor}.run.lock"

    def queue_lock(self, vendor: str) -> Path:
        """Return the lock of who is to be the next to ask a vendor."""
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
        """The lock of who builds and publishes."""
        return self.locks / "build.lock"

    @property
    def journal_lock(self) -> Path:
        """The lock of who writes the journal."""
        return self.locks / "journal.lock"

    @property
    def raw_folder(self) -> Path:
        """The folder of the raw files."""
        return self.root / "raw"

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
        return self.raw_folder, self.locks, self._work

    @property
    def build(self) -> Path:
        """The file that the models are built in, which nobody else opens."""
        return self.root / "build.duckdb"

    @property
    def published(self) -> Path:
        """What analysts open: a symbolic link to the newest published file."""
        return self.root / "calls.duckdb"

    @property
    def published_folder(self) -> Path:
        """Where each published file has a folder of its own."""
        return self.root / "published"

    @property
    def snapshots(self) -> Path:
        """The folder of the files that were published before: the backups."""
        return self.root / "snapshots"

    @property
    def journal(self) -> Path:
        """The journal of runs."""
        return self.root / "runs.jsonl"

    @property
    def origin(self) -> Path:
        """The file that says what its calls are: the vendors', or the sandbox's."""
        return self.root / "origin"
