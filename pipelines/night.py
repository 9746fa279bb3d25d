"""A night: the vendors side by side, then the models, then the published file."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa

import transforms
from pipelines.config import Config, ConfigError, Vendor
from pipelines.context import told
from pipelines.fx import rates_of
from pipelines.load import Progress, clock_from, raw_file, reading
from pipelines.locks import LockedError, in_turn, only_one
from pipelines.opening import BUILD_FILE, refuse_held
from pipelines.outcome import Outcome
from pipelines.plan import Order
from pipelines.publish import publish
from pipelines.runs import Run, read_runs, write_runs
from pipelines.side_by_side import load_vendors
from pipelines.sources import vendors as all_vendors
from transforms.build import BuildResult, build

MODELS = Path(transforms.__file__).parent / "models"
ORIGIN = "origin"
"""Names, in a warehouse, what its calls are: the vendors', or the sandbox's."""


@dataclass(frozen=True)
class Night:
    """What a run did."""

    outcomes: tuple[Outcome, ...]
    build: BuildResult | None
    published: Path | None

    @property
    def is_complete(self) -> bool:
        """Tell whether nothing is missing."""
        return all(outcome.is_complete for outcome in self.outcomes)


def run_night(
    config: Config,
    now: datetime,
    progress: Progress,
    *,
    vendors: Sequence[Vendor],
    full: bool = False,
    origin: str = "vendors",
    audit: bool = True,
) -> Night:
    """Load, build and publish; a vendor that fails does not stop the others.

    Raises `LockedError` while another run is going on, `CheckFailed` when rows break
    a check (the published file is then yesterday's).
    """
    priced = _with_rates(config)
    with only_one(config.warehouse / "locks" / "run.lock", "a run"):
        outcomes = load_all(
            config, now, progress, vendors=vendors, origin=origin, audit=audit
        )
        result, published = build_and_publish(priced, now, full=full)
    return Night(tuple(outcomes), result, published)


def run_backfill(
    config: Config,
    now: datetime,
    progress: Progress,
    order: Order,
    *,
    vendors: Sequence[Vendor],
    origin: str = "vendors",
) -> Night:
    """Load a range of days, build and publish; a night may begin and end meanwhile.

    A vendor whose backfill is going on already is left to it, and says so.
    """
    clock, priced = clock_from(now), _with_rates(config)
    with ExitStack() as locks:
        taken: list[Outcome] = []
        for vendor in vendors:
            lock = config.warehouse / "locks" / f"{vendor.name}.backfill.lock"
            try:
                locks.enter_context(only_one(lock, f"a backfill of {vendor.name}"))
            except LockedError as error:
                taken.append(Outcome(vendor.name, errors=(str(error),)))
        others = {outcome.vendor for outcome in taken}
        ours = [vendor for vendor in vendors if vendor.name not in others]
        if not ours:
            return Night(tuple(taken), None, None)
        outcomes = load_all(
            config, now, progress, vendors=ours, origin=origin, order=order
        )
    result, published = build_and_publish(priced, clock())
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
    order: Order | None = None,
    audit: bool = True,
) -> list[Outcome]:
    """Load vendors side by side and write each one's line into the journal."""
    _keep_apart(config.warehouse, origin)
    outcomes = load_vendors(vendors, config, now, progress, order, audit=audit)
    command = "load" if order is None else "backfill"
    write_runs(config.warehouse, (_run(one, now, command) for one in outcomes))
    return outcomes


def build_and_publish(
    config: Config, now: datetime, *, full: bool = False
) -> tuple[BuildResult, Path]:
    """Bring the tables up to what the raw files hold and publish them, or nothing."""
    warehouse = config.warehouse
    build_file = warehouse / "build.duckdb"
    with ExitStack() as locks:
        locks.enter_context(in_turn(warehouse / "locks" / "build.lock"))
        with given_to_models(config, now) as (raw, context):
            result = _build(config, now, build_file, raw, context, full=full)
            build_file.chmod(0o600)
        with _written_down(config, now):
            published = publish(build_file, warehouse, now, config.keep_snapshots)
    return result, published


@contextmanager
def given_to_models(
    config: Config, now: datetime
) -> Iterator[tuple[dict[str, Path], dict[str, pa.Table]]]:
    """Give the raw files that there are, which nobody writes meanwhile, and the rest.

    The rest are the tables ``config.<name>``.
    """
    warehouse = config.warehouse
    raw = {
        name: path
        for name in all_vendors()
        if (path := raw_file(warehouse, name)).exists()
    }
    with ExitStack() as turns:
        for name in raw:
            turns.enter_context(reading(warehouse, name))
        yield raw, {**told(config, now, raw), "runs": read_runs(warehouse)}


def _build(
    config: Config,
    now: datetime,
    build_file: Path,
    raw: dict[str, Path],
    context: dict[str, pa.Table],
    *,
    full: bool,
) -> BuildResult:
    with _written_down(config, now):
        refuse_held(build_file, BUILD_FILE)
        return build(build_file, MODELS, raw, context, full=full)


@contextmanager
def _written_down(config: Config, now: datetime) -> Iterator[None]:
    """Write a failure into the journal, which tells of it when no file can."""
    try:
        yield
    except Exception as error:
        sentence = f"{type(error).__name__}: {error}".splitlines()[0]
        failed = Run(now, "build", "", "failed", error=sentence)
        write_runs(config.warehouse, [failed])
        raise


def _keep_apart(warehouse: Path, origin: str) -> None:
    """Refuse to mix invented calls with real ones in one warehouse."""
    mark = warehouse / ORIGIN
    if not mark.exists():
        warehouse.mkdir(parents=True, exist_ok=True)
        mark.write_text(origin + "\n")
    held = mark.read_text().strip()
    if held != origin:
        raise ConfigError(
            f"{warehouse} holds calls of the {held} and this run would add calls of "
            f"the {origin}; name another folder as CALLHOUSE__WAREHOUSE, or delete it"
        )


def _run(outcome: Outcome, now: datetime, command: str) -> Run:
    return Run(
        started_at=now,
        command=command,
        vendor=outcome.vendor,
        outcome="complete" if outcome.is_complete else "incomplete",
        windows=outcome.windows,
        planned=outcome.planned,
        records=outcome.records,
        changed=outcome.changed,
        quarantined=outcome.quarantined,
        pending=outcome.pending,
        settled=outcome.settled,
        deleted=outcome.deleted,
        restored=outcome.restored,
        requests=outcome.requests,
        retries=outcome.retries,
        seconds=round(outcome.seconds, 3),
        error="; ".join(outcome.problems) or None,
        note="; ".join(outcome.notes) or None,
    )
