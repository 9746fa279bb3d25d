"""A night: the vendors side by side, then the models, then the published file."""

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
from pipelines.commands.model_inputs import told
from pipelines.config.fx_rates import rates_of
from pipelines.config.model import Config, Vendor
from pipelines.config.toml_file import ConfigError
from pipelines.load.loader import Progress, clock_from, reading
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
    HeldError,
    is_present,
    log_of,
    private,
    refuse_cut,
    refuse_damaged,
    refuse_held,
    refusing,
)
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.publish import folder_mode, publish
from transforms.runner.build import BuildResult, build
from transforms.runner.build_state import HistoryError

MODELS = Path(transforms.__file__).parent / "models"
ORIGINS = ("vendors", "sandbox")
"""What the calls of a warehouse are; the file `Warehouse.origin` says which."""


@dataclass(frozen=True)
class Night:
    """What a run did."""

    outcomes: tuple[LoadResult, ...]
    build: BuildResult | None
    published: Path | None

    @property
    def kept(self) -> Mapping[str, str]:
        """Vendors whose calls are as they were before, and why."""
        return self.build.kept if self.build else {}

    @property
    def is_complete(self) -> bool:
        """Return True if nothing is missing."""
        return not self.kept and all(one.is_complete for one in self.outcomes)


def run_night(
    config: Config,
    now: datetime,
    progress: Progress,
    *,
    vendors: Sequence[Vendor],
    full: bool = False,
    origin: str = "vendors",
    audit: bool = True,
    forget_history: bool = False,
) -> Night:
    """Load, build and publish; a vendor that fails does not stop the others.

    Raises `LockedError` while another run is going on, `CheckFailed` when rows break
    a check (the published file is then yesterday's).
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
    return Night(tuple(outcomes), result, published)


def run_backfill(
    config: Config,
    now: datetime,
    progress: Progress,
    order: BackfillRequest,
    *,
    vendors: Sequence[Vendor],
    origin: str = "vendors",
    forget_history: bool = False,
) -> Night:
    """Load a range of days, build and publish; a night may begin and end meanwhile.

    A vendor whose backfill is going on already is left to it, and says so.
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
            return Night(tuple(taken), None, None)
        outcomes = load_all(
            config, now, progress, vendors=ours, origin=origin, order=order
        )
    result, published = build_and_publish(
        priced, clock(), forget_history=forget_history
    )
    return Night((*outcomes, *taken), result, published)


def _with_rates(config: Config) -> Config:
    """Return the configuration for a build; a wrong rate is refused before a load.

    The processes that load are not given them: they may be a quarter of a million.
    """
    return replace(config, fx_rates=rates_of(config.fx_rates))


def load_all(
    config: Config,
    now: datetime,
    progress: Progress,
    *,
    vendors: Sequence[Vendor],
    origin: str = "vendors",
    order: BackfillRequest | None = None,
    audit: bool = True,
) -> list[LoadResult]:
    """Load vendors side by side and write each one's line into the journal."""
    make_warehouse(config)
    _keep_apart(config.warehouse, origin)
    if unreadable := mend_journal(config.warehouse):
        tell(unreadable)
    outcomes = load_vendors(vendors, config, now, progress, order, audit=audit)
    command = "load" if order is None else "backfill"
    write_runs(config.warehouse, now, command, outcomes)
    return outcomes


def build_and_publish(
    config: Config, now: datetime, *, full: bool = False, forget_history: bool = False
) -> tuple[BuildResult, Path]:
    """Bring the tables up to what the raw files hold and publish them, or nothing.

    A vendor whose raw file cannot be read, or lacks what was built of it, keeps the
    calls it has, and ``kept`` of the result says why. With ``forget_history`` what the
    raw files hold is all that there is.
    """
    make_warehouse(config)
    warehouse = config.warehouse
    build_file = warehouse.build
    with ExitStack() as locks:
        locks.enter_context(in_turn(warehouse.build_lock, patience=A_BUILD))
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
class Given:
    """What a build is given; raw files that cannot be read, with why, are left out."""

    raw: dict[str, Path]
    context: dict[str, pa.Table]
    unreadable: dict[str, str]


@contextmanager
def given_to_models(
    config: Config, now: datetime, damaged: Mapping[str, str] | None = None
) -> Iterator[Given]:
    """Give the raw files that can be read, which nobody writes meanwhile, and the rest.

    The rest are the tables ``config.<name>``. ``damaged`` are raw files that are known
    to be damaged, which shows only where they are read.
    """
    warehouse = config.warehouse
    raw: dict[str, Path] = {}
    unreadable = {**(damaged or {})}
    with ExitStack() as turns:
        for name in all_vendors():
            if name in unreadable or not is_present(warehouse.raw(name)):
                continue
            try:
                raw[name] = turns.enter_context(reading(warehouse, name))
                past_reads(raw[name])  # a ledger of another shape is found here
            except (FileError, LockedError) as error:
                raw.pop(name, None)
                unreadable[name] = str(error)
        context = {**told(config, now, raw), "runs": read_runs(warehouse)}
        yield Given(raw, context, unreadable)


def _build(
    config: Config, now: datetime, build_file: Path, *, full: bool, forget: bool
) -> BuildResult:
    refuse_held(build_file, BUILD_FILE)
    mended = _mend(build_file, config.warehouse.published)
    damaged: dict[str, str] = {}
    for _ in range(len(all_vendors()) + 1):
        with given_to_models(config, now, damaged) as given:
            try:
                result = build(
                    build_file,
                    MODELS,
                    given.raw,
                    given.context,
                    full=full,
                    mended=mended,
                    unreadable=given.unreadable,
                    forget_history=forget,
                )
            except duckdb.Error:
                # A file may open and yet have blocks that cannot be read.
                found = _damaged(given.raw)
                if not found:
                    raise
                damaged |= found
                continue
            except HistoryError as error:
                because = "; ".join(given.unreadable.values())
                raise FileError(
                    f"{error}: {because}" if because else f"{error}"
                ) from None
            build_file.chmod(0o600)
            return replace(result, kept=_sentences(config, result, given))
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


def _sentences(config: Config, result: BuildResult, given: Given) -> dict[str, str]:
    """Say of each vendor that was not built why, and what to do."""
    found = {
        name: f"{why}; {name} keeps the calls it had" if name in result.kept else why
        for name, why in given.unreadable.items()
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
    """Make a work file that cannot be used anew, as what was published of it.

    Return what was wrong with it; None: nothing, or there was none ever.
    """
    wrong = None
    if is_present(build_file):
        try:
            _open_to_write(build_file)
        except HeldError:
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
        wrong = wrong or f"{build_file} was gone or empty, and is made anew"
        # The calls of vendors whose raw files cannot be read are in no other place.
        with suppress(FileError, duckdb.Error):
            refuse_damaged(published, PUBLISHED_FILE)
            shutil.copyfile(published, build_file)
    if wrong:
        tell(wrong)
    return wrong


def _open_to_write(build_file: Path) -> None:
    """Open a work file once, so that what a killed build left in its log is in it."""
    with refusing(build_file, BUILD_FILE):
        connection = duckdb.connect(str(build_file))
    with connection, refusing(build_file, BUILD_FILE):
        refuse_cut(connection, build_file, BUILD_FILE)
        if not connection.execute("from duckdb_tables()").fetchall():
            raise FileError(f"{build_file} had no tables, and is made anew")


def make_warehouse(config: Config) -> None:
    """Make the folder of a warehouse, and let nobody into what is private in it."""
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
    """Write a failure into the journal, which tells of it when no file can."""
    try:
        yield
    except Exception as error:
        sentence = f"{type(error).__name__}: {error}".splitlines()[0]
        failed = LoadResult("", errors=(sentence,))
        write_runs(config.warehouse, now, "build", [failed], has_failed=True)
        raise


def _keep_apart(warehouse: Warehouse, origin: str) -> None:
    """Refuse to mix invented calls with real ones in one warehouse."""
    mark = warehouse.origin
    if mark.is_dir():
        raise FileError(f"{mark} is a folder, where a file must be; delete it")
    held = mark.read_bytes().decode("utf-8", "replace").strip() if mark.exists() else ""
    if held not in ORIGINS:
        if mark.exists():
            tell(f"{mark} did not say whose calls these are; now it says: {origin}")
        incoming = mark.with_name(f"{mark.name}.incoming")
        incoming.unlink(missing_ok=True)
        with private():
            incoming.write_text(origin + "\n")
        incoming.replace(mark)
        held = origin
    if held != origin:
        raise ConfigError(
            f"{warehouse.root} holds calls of the {held} and this run would add calls "
            f"of the {origin}; name another folder as CALLHOUSE__WAREHOUSE, or "
            "delete it"
        )
