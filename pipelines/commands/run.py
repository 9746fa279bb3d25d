"""Runs, loads and backfills: load vendors at the same time, build, publish."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pipelines.commands.build import clean_lake, make_warehouse
from pipelines.commands.unfinished import (
    build_and_finish,
    erase_raw_files,
    suppressions_of,
)
from pipelines.config.fx_rates import rates_of
from pipelines.config.model import Config, Vendor
from pipelines.config.toml_file import ConfigError
from pipelines.load.retention import apply_retention
from pipelines.load.turns import Progress, clock_from
from pipelines.load.workers import load_vendors
from pipelines.planning.planner import BackfillRequest
from pipelines.warehouse.journal import LoadResult, mend_journal, write_runs
from pipelines.warehouse.locks import LockedError, only_one, tell
from pipelines.warehouse.opening import FileError, private
from pipelines.warehouse.paths import Warehouse
from transforms.runner.build import BuildResult, FinalCostChange
from transforms.runner.storage import Place

ORIGINS = ("vendors", "sandbox")
"""Whose calls a warehouse has; the file `Warehouse.origin` has one of these words."""


@dataclass(frozen=True)
class RunResult:
    """What a run loaded, built and published; None: there was no build."""

    outcomes: tuple[LoadResult, ...]
    build: BuildResult | None
    published: Place | None

    @property
    def kept(self) -> Mapping[str, str]:
        """By vendor, why its calls are those of an earlier build."""
        return self.build.kept if self.build else {}

    @property
    def final_cost_changes(self) -> Sequence[FinalCostChange]:
        """Costs that were final before the build and are others now."""
        return self.build.final_cost_changes if self.build else ()

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

    Raises `LockedError` during another run, and `CheckFailed` if rows break a check;
    the published file then stays as it was.
    """
    priced = _with_rates(config)
    make_warehouse(config)
    with only_one(config.warehouse.run_lock, "a run"):
        outcomes = load_all(
            config, now, progress, vendors=vendors, origin=origin, audit=audit
        )
        outcomes += apply_retention(config, now)
        result, published = build_and_finish(
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
    builds: bool = True,
) -> RunResult:
    """Load a range of days; other runs may happen at the same time.

    Where it ``builds``, the models are built and published. A vendor with another
    backfill in progress is left out, with an error in its outcome. Raises the errors of
    `run_pipeline`.
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
    if not builds:
        return RunResult((*outcomes, *taken), None, None)
    result, published = build_and_finish(priced, clock(), forget_history=forget_history)
    return RunResult((*outcomes, *taken), result, published)


def _with_rates(config: Config) -> Config:
    """Return the configuration with its exchange rates; raise if a rate is wrong.

    The processes that load get the configuration without them: there may be 250,000.
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
    """Load vendors at the same time, and add a line for each to the journal.

    ``origin`` is whose calls these are; raises `ConfigError` if the warehouse has
    calls of another origin, and `ListError` if the suppression list cannot be used, for
    erased persons would come back. Without a ``request``, each vendor's work plan is
    loaded, with an ``audit`` of older windows.
    """
    make_warehouse(config)
    _keep_apart(config.warehouse, origin)
    suppressions_of(config)
    erase_raw_files(config)
    if unreadable := mend_journal(config.warehouse):
        tell(unreadable)
    outcomes = load_vendors(vendors, config, now, progress, request, audit=audit)
    for raw in (config.warehouse.raw(one.name) for one in vendors):
        if not isinstance(raw, Path):
            clean_lake(raw, 0)
    command = "load" if request is None else "backfill"
    write_runs(config.warehouse, now, command, outcomes)
    return outcomes


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
