"""Build the models from the raw files, and publish the tables."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

import transforms
from pipelines.commands.model_inputs import model_inputs
from pipelines.config.model import Config
from pipelines.config.privacy import protection
from pipelines.sources import vendors as all_vendors
from pipelines.warehouse.journal import LoadResult, read_runs, write_runs
from pipelines.warehouse.ledger import past_reads
from pipelines.warehouse.locks import BUILD_TIMEOUT, LockedError, in_turn, tell
from pipelines.warehouse.migration import locked_raw_file
from pipelines.warehouse.opening import (
    BUILD_FILE,
    PUBLISHED_FILE,
    RAW_FILE,
    FileError,
    InUseError,
    is_present,
    log_of,
    private,
    refuse_damaged,
    refuse_in_use,
    refuse_truncated,
    refusing,
)
from pipelines.warehouse.publish import folder_mode, publish
from transforms.runner.build import BuildResult, build
from transforms.runner.build_state import HistoryError
from transforms.runner.inputs import Spans
from transforms.runner.processes import Processes
from transforms.runner.shards import ShardError, Shards, Spread
from transforms.runner.spark import Cluster
from transforms.runner.storage import Lake, Place, connect

MODELS = Path(transforms.__file__).parent / "models"
FOR_ONE, FOR_SEVERAL = 20, 2
"""From how many shards on a build is divided. One process alone gains nothing but a
bound on what a model needs: a build of a million calls takes 1.4 GB as it is."""


@dataclass(frozen=True)
class BuildInputs:
    """What the models read. Raw files that cannot be read are left out."""

    raw: dict[str, Place]
    """The raw files by vendor."""
    context: dict[str, pa.Table]
    """The tables ``config.<name>`` by name."""
    unreadable: dict[str, str]
    """Why a vendor's raw file cannot be read, by vendor."""


def build_and_publish(
    config: Config,
    now: datetime,
    *,
    full: bool = False,
    forget_history: bool = False,
    again: Spans | None = None,
    before_publish: Callable[[Path, BuildResult], None] = lambda *_: None,
) -> tuple[BuildResult, Place]:
    """Build the models from the raw files, and publish all tables or none.

    If the raw file of a vendor cannot be read, or lacks loads that are in the tables,
    the calls of this vendor stay as they are, and ``kept`` of the result says why;
    with ``forget_history`` they are deleted. ``again`` says by vendor when the records
    began that are built again. ``before_publish`` is called with the
    closed build file and the result. In a lake the build is published as it is
    committed. Raises `CheckFailed`, and `PublishError`.
    """
    make_warehouse(config)
    warehouse = config.warehouse
    lake = warehouse.lake_tables
    with ExitStack() as locks:
        locks.enter_context(in_turn(warehouse.build_lock, timeout=BUILD_TIMEOUT))
        locks.enter_context(private())
        with _written_down(config, now):
            result = _build(config, now, full=full, forget=forget_history, again=again)
            if lake is None:
                before_publish(warehouse.build, result)
                publish(
                    warehouse.build,
                    warehouse,
                    now,
                    config.keep_snapshots,
                    mode=config.published_mode,
                    numbers=protection(config.privacy),
                )
            else:
                clean_lake(lake, config.keep_snapshots)
        if result.kept:
            sentence = "; ".join(result.kept.values())
            failed = LoadResult("", errors=(sentence,))
            write_runs(config.warehouse, now, "build", [failed])
    return result, warehouse.tables


@contextmanager
def open_model_inputs(
    config: Config, now: datetime, damaged: Mapping[str, str] | None = None
) -> Iterator[BuildInputs]:
    """Yield what the models read; no raw file can be written until the block ends.

    ``damaged`` are the vendors whose raw file an earlier attempt could not read
    completely, with the reason. They are left out.
    """
    warehouse = config.warehouse
    raw: dict[str, Place] = {}
    unreadable = {**(damaged or {})}
    with ExitStack() as turns:
        for name in all_vendors():
            if name in unreadable or not is_present(warehouse.raw(name)):
                continue
            try:
                raw[name] = turns.enter_context(locked_raw_file(warehouse, name))
                past_reads(raw[name])  # a ledger of another shape is found here
            except (FileError, LockedError) as error:
                raw.pop(name, None)
                unreadable[name] = str(error)
        context = {**model_inputs(config, now, raw), "runs": read_runs(warehouse)}
        yield BuildInputs(raw, context, unreadable)


def _build(
    config: Config, now: datetime, *, full: bool, forget: bool, again: Spans | None
) -> BuildResult:
    place, mended = config.warehouse.to_build, None
    if isinstance(place, Path):
        refuse_in_use(place, BUILD_FILE)
        mended = _mend(place, config.warehouse.published)
    damaged: dict[str, str] = {}
    for _ in range(len(all_vendors()) + 1):
        with open_model_inputs(config, now, damaged) as inputs:
            try:
                result = build(
                    place,
                    MODELS,
                    inputs.raw,
                    inputs.context,
                    full=full,
                    mended=mended,
                    unreadable=inputs.unreadable,
                    forget_history=forget,
                    again=again,
                    split=_split(config),
                )
            except ShardError as error:
                raise FileError(f"{error}") from None
            except duckdb.Error as error:
                # A file may open and yet have blocks that cannot be read.
                found = _damaged(inputs.raw)
                is_reach = isinstance(error, duckdb.OperationalError)
                if not found and is_reach and not isinstance(place, Path):
                    raise FileError(place.trouble(error)) from None
                if not found:
                    raise
                damaged |= found
                continue
            except HistoryError as error:
                because = "; ".join(inputs.unreadable.values())
                raise FileError(
                    f"{error}: {because}" if because else f"{error}"
                ) from None
            if isinstance(place, Path):
                place.chmod(0o600)
            return replace(result, kept=_sentences(config, result, inputs))
    raise AssertionError  # each attempt leaves out one more vendor


def _split(config: Config) -> Shards:
    """Say from how many records on a build is divided, and who builds the shards."""
    own, folder = config.building, config.warehouse.shards
    if own.folder:
        folder = Path(own.folder).expanduser().absolute() / "callhouse-shards"
    spread: Spread = Processes(own.processes)
    if own.spark:
        spread = Cluster(own.spark, own.processes)
    is_one = own.processes == 1 and not own.spark
    least = FOR_ONE if is_one else FOR_SEVERAL
    return Shards(folder.absolute(), spread, own.shard_size, least)


def clean_lake(lake: Lake, keep: int) -> None:
    """Clean a lake; what cannot be deleted now is left for the next run."""
    try:
        lake.clean(keep)
    except (FileError, LockedError) as error:
        tell(f"files of older snapshots were not deleted: {error}")


def _damaged(raw: Mapping[str, Place]) -> dict[str, str]:
    """Return the raw files of which not all can be read, and why."""
    found = {}
    for name, path in raw.items():
        try:
            refuse_damaged(path, RAW_FILE)
        except FileError as error:
            found[name] = str(error)
    return found


def _sentences(
    config: Config, result: BuildResult, inputs: BuildInputs
) -> dict[str, str]:
    """Return, by vendor, why it was not built and what the operator can do."""
    found = {
        name: f"{why}; {name} keeps the calls it had" if name in result.kept else why
        for name, why in inputs.unreadable.items()
    }
    for name, why in result.kept.items():
        path = config.warehouse.raw(name)
        found.setdefault(
            name,
            f"{path} {why}, so {name} keeps the calls it had; restore the file from a "
            "backup, or give up what is only in the tables with: callhouse transform "
            "--forget-history; callhouse doctor says more",
        )
    return found


def _mend(build_file: Path, published: Path) -> str | None:
    """Replace a build file that cannot be used by a copy of the published file.

    Return what was wrong with it; None if nothing was, or if nothing was built before.
    """
    wrong = None
    if is_present(build_file):
        try:
            _open_to_write(build_file)
        except InUseError:
            raise
        except FileError as error:
            wrong = str(error)
        else:
            return None
    if build_file.is_dir():
        raise FileError(f"{build_file} is a folder, where a file must be; delete it")
    for path in (build_file, log_of(build_file)):
        path.unlink(missing_ok=True)
    if is_present(published):
        wrong = wrong or f"{build_file} was missing or empty, and is made anew"
        # Only there are the calls of vendors whose raw files cannot be read.
        with suppress(FileError, duckdb.Error):
            refuse_damaged(published, PUBLISHED_FILE)
            shutil.copyfile(published, build_file)
    if wrong:
        tell(wrong)
    return wrong


def _open_to_write(build_file: Path) -> None:
    """Open the build file once, which applies the log that a killed build left."""
    with refusing(build_file, BUILD_FILE):
        connection = connect(build_file)
    with connection, refusing(build_file, BUILD_FILE):
        refuse_truncated(connection, build_file, BUILD_FILE)
        if not connection.execute("from duckdb_tables()").fetchall():
            raise FileError(f"{build_file} had no tables, and is made anew")


@contextmanager
def _written_down(config: Config, now: datetime) -> Iterator[None]:
    """Write an error of the build into the journal, and raise it again."""
    try:
        yield
    except Exception as error:
        sentence = f"{type(error).__name__}: {error}".splitlines()[0]
        failed = LoadResult("", errors=(sentence,))
        write_runs(config.warehouse, now, "build", [failed], has_failed=True)
        raise


def make_warehouse(config: Config) -> None:
    """Make the folders of the warehouse; only their owner can enter the private ones.

    Raises `FileError` if that is not possible.
    """
    root = config.warehouse.root
    try:
        if not root.exists():
            root.parent.mkdir(parents=True, exist_ok=True)
            root.mkdir()
            root.chmod(folder_mode(config.published_mode))
        for folder in config.warehouse.private_folders:
            if not folder.exists():
                folder.mkdir(mode=0o700)
            elif folder.stat().st_uid == os.geteuid():
                folder.chmod(0o700)
    except OSError as error:
        raise FileError(
            f"{error.filename} cannot be made: {error.strerror}; mend that, or name "
            "another folder as CALLHOUSE__WAREHOUSE"
        ) from None
