"""``callhouse run``: load all vendors at the same time, build the models, publish."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

import transforms
from pipelines.commands.model_inputs import model_inputs
from pipelines.config.fx_rates import rates_of
from pipelines.config.model import Config, Vendor
from pipelines.config.toml_file import ConfigError
from pipelines.load.loader import Progress, clock_from, locked_raw_file
from pipelines.load.workers import load_vendors
from pipelines.planning.planner import BackfillRequest
from pipelines.sources import vendors as all_vendors
from pipelines.warehouse.journal import LoadResult, mend_journal, read_runs, write_runs
from pipelines.warehouse.ledger import past_reads
from pipelines.warehouse.locks import A_BUILD, LockedError, in_turn, only_one, tell
from pipelines.warehouse.opening import (
    BUILD_FILE,
    PUBLISHED_FILE,
    RAW_FILE,
    FileError,
    InUseError,
    is_present,
    log_of,
    private,
    refuse_cut,
    refuse_damaged,
    refuse_in_use,
    refusing,
)
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.publish import folder_mode, publish
from transforms.runner.build import BuildResult, build
from transforms.runner.build_state import HistoryError

MODELS = Path(transforms.__file__).parent / "models"
ORIGINS = ("vendors", "sandbox")
"""Whose calls a warehouse has; the file `Warehouse.origin` has one of these words."""


@dataclass(frozen=True)
class RunResult:
    """What a run loaded, built and published; None: there was no build."""

    outcomes: tuple[LoadResult, ...]
    build: BuildResult | None
    published: Path | None

    @property
    def kept(self) -> Mapping[str, str]:
        """By vendor, why its calls are those of an earlier build."""
        return self.build.kept if self.build else {}

    @property
    def is_complete(self) -> bool:
        """Return True if every vendor is loaded completely, and built."""
        return not self.kept and all(one.is_complete for one in self.outcomes)


def run_pipeline(
    config: Config,
    now: datetime,
    progress: Progress,
    *,
    vendors: Sequence[Vendor],
    full: bool = False,
    origin: str = "vendors",
    audit: bool = True,
    forget_history: bool = False,
) -> RunResult:
    """Load, build and publish; a vendor that fails does not stop the others.

    Raises `LockedError` during another run, and `CheckFailed` if rows break a check:
    then the published file stays as it was.
    """
    priced = _with_rates(config)
    make_warehouse(config)
    with only_one(config.warehouse.run_lock, "a run"):
        outcomes = load_all(
            config, now, progress, vendors=vendors, origin=origin, audit=audit
        )
        result, published = build_and_publish(
            priced, now, full=full, forget_history=forget_history
        )
    return RunResult(tuple(outcomes), result, published)


def run_load(
    config: Config,
    now: datetime,
    progress: Progress,
    *,
    vendors: Sequence[Vendor],
    origin: str = "vendors",
    audit: bool = True,
) -> RunResult:
    """Load vendors into their raw files; build and publish nothing."""
    outcomes = load_all(
        config, now, progress, vendors=vendors, origin=origin, audit=audit
    )
    return RunResult(tuple(outcomes), None, None)


def run_backfill(
    config: Config,
    now: datetime,
    progress: Progress,
    *,
    request: BackfillRequest,
    vendors: Sequence[Vendor],
    origin: str = "vendors",
    forget_history: bool = False,
) -> RunResult:
    """Load a range of days, build and publish; runs may begin and end meanwhile.

    A vendor whose backfill is already going on is skipped, with an error in its
    outcome. Raises as `run_pipeline` does.
    """
    clock, priced = clock_from(now), _with_rates(config)
    make_warehouse(config)
    with ExitStack() as locks:
        taken: list[LoadResult] = []
        for vendor in vendors:
            lock = config.warehouse.backfill_lock(vendor.name)
            try:
                locks.enter_context(only_one(lock, f"a backfill of {vendor.name}"))
            except LockedError as error:
                taken.append(LoadResult(vendor.name, errors=(str(error),)))
        others = {outcome.vendor for outcome in taken}
        ours = [vendor for vendor in vendors if vendor.name not in others]
        if not ours:
            return RunResult(tuple(taken), None, None)
        outcomes = load_all(
            config, now, progress, vendors=ours, origin=origin, request=request
        )
    result, published = build_and_publish(
        priced, clock(), forget_history=forget_history
    )
    return RunResult((*outcomes, *taken), result, published)


def _with_rates(config: Config) -> Config:
    """Return the configuration with its exchange rates; a wrong one ends the run here.

    The processes that load get the configuration without rates: there may be 250,000.
    """
    return replace(config, fx_rates=rates_of(config.fx_rates))


def load_all(
    config: Config,
    now: datetime,
    progress: Progress,
    *,
    vendors: Sequence[Vendor],
    origin: str = "vendors",
    request: BackfillRequest | None = None,
    audit: bool = True,
) -> list[LoadResult]:
    """Load vendors at the same time, and write a line for each into the journal.

    ``origin`` says whose calls these are; `ConfigError` if the warehouse has others.
    Without a ``request``, each vendor's own work plan is loaded, with an ``audit`` of
    older windows.
    """
    make_warehouse(config)
    _keep_apart(config.warehouse, origin)
    if unreadable := mend_journal(config.warehouse):
        tell(unreadable)
    outcomes = load_vendors(vendors, config, now, progress, request, audit=audit)
    command = "load" if request is None else "backfill"
    write_runs(config.warehouse, now, command, outcomes)
    return outcomes


def build_and_publish(
    config: Config, now: datetime, *, full: bool = False, forget_history: bool = False
) -> tuple[BuildResult, Path]:
    """Build the models from the raw files, and publish all of them or none.

    A vendor whose raw file cannot be read, or lacks loads that the tables have, keeps
    the calls it has, and ``kept`` of the result says why; ``forget_history`` deletes
    them instead. Raises `CheckFailed`, and `PublishError`.
    """
    make_warehouse(config)
    warehouse = config.warehouse
    build_file = warehouse.build
    with ExitStack() as locks:
        locks.enter_context(in_turn(warehouse.build_lock, timeout=A_BUILD))
        locks.enter_context(private())
        with _written_down(config, now):
            result = _build(config, now, build_file, full=full, forget=forget_history)
            published = publish(
                build_file,
                warehouse,
                now,
                config.keep_snapshots,
                mode=config.published_mode,
            )
        if result.kept:
            sentence = "; ".join(result.kept.values())
            failed = LoadResult("", errors=(sentence,))
            write_runs(config.warehouse, now, "build", [failed])
    return result, published


@dataclass(frozen=True)
class BuildInputs:
    """What the models read. Raw files that cannot be read are left out."""

    raw: dict[str, Path]
    """The raw files by vendor."""
    context: dict[str, pa.Table]
    """The tables ``config.<name>`` by name."""
    unreadable: dict[str, str]
    """Why a vendor's raw file cannot be read, by vendor."""


@contextmanager
def open_model_inputs(
    config: Config, now: datetime, damaged: Mapping[str, str] | None = None
) -> Iterator[BuildInputs]:
    """Yield what the models read; no raw file is written while it is open.

    ``damaged`` are raw files, by vendor, of which an earlier attempt could not read
    all, with the reason.
    """
    warehouse = config.warehouse
    raw: dict[str, Path] = {}
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
    config: Config, now: datetime, build_file: Path, *, full: bool, forget: bool
) -> BuildResult:
    refuse_in_use(build_file, BUILD_FILE)
    mended = _mend(build_file, config.warehouse.published)
    damaged: dict[str, str] = {}
    for _ in range(len(all_vendors()) + 1):
        with open_model_inputs(config, now, damaged) as inputs:
            try:
                result = build(
                    build_file,
                    MODELS,
                    inputs.raw,
                    inputs.context,
                    full=full,
                    mended=mended,
                    unreadable=inputs.unreadable,
                    forget_history=forget,
                )
            except duckdb.Error:
                # A file may open and yet have blocks that cannot be read.
                found = _damaged(inputs.raw)
                if not found:
                    raise
                damaged |= found
                continue
            except HistoryError as error:
                because = "; ".join(inputs.unreadable.values())
                raise FileError(
                    f"{error}: {because}" if because else f"{error}"
                ) from None
            build_file.chmod(0o600)
            return replace(result, kept=_sentences(config, result, inputs))
    raise AssertionError  # each turn sets a vendor aside


def _damaged(raw: Mapping[str, Path]) -> dict[str, str]:
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
    """Return, by vendor, why it was not built, and what to do."""
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

    Return what was wrong with it; None: nothing, or nothing was ever built.
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
        connection = duckdb.connect(str(build_file))
    with connection, refusing(build_file, BUILD_FILE):
        refuse_cut(connection, build_file, BUILD_FILE)
        if not connection.execute("from duckdb_tables()").fetchall():
            raise FileError(f"{build_file} had no tables, and is made anew")


def make_warehouse(config: Config) -> None:
    """Make the folders of the warehouse; only the owner may enter the private ones.

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


def _keep_apart(warehouse: Warehouse, origin: str) -> None:
    """Raise `ConfigError` if the warehouse has calls of another origin."""
    mark = warehouse.origin
    if mark.is_dir():
        raise FileError(f"{mark} is a folder, where a file must be; delete it")
    found = (
        mark.read_bytes().decode("utf-8", "replace").strip() if mark.exists() else ""
    )
    if found not in ORIGINS:
        if mark.exists():
            tell(f"{mark} did not say whose calls these are; now it says: {origin}")
        incoming = mark.with_name(f"{mark.name}.incoming")
        incoming.unlink(missing_ok=True)
        with private():
            incoming.write_text(origin + "\n")
        incoming.replace(mark)
        found = origin
    if found != origin:
        raise ConfigError(
            f"{warehouse.root} holds calls of the {found} and this run would add calls "
            f"of the {origin}; name another folder as CALLHOUSE__WAREHOUSE, or "
            "delete it"
        )
