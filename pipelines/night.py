"""A night: the vendors side by side, then the models, then the published file."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

import transforms
from pipelines.config import SETTLE_AFTER, Config, ConfigError, RateCard, Vendor
from pipelines.ledger import past_reads
from pipelines.load import Progress, file_lock, raw_file
from pipelines.locks import in_turn, only_one
from pipelines.outcome import Outcome
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
) -> Night:
    """Load, build and publish; a vendor that fails does not stop the others.

    Raises `LockedError` while another run is going on, `CheckFailed` when rows break
    a check (the published file is then yesterday's).
    """
    with only_one(config.warehouse / "locks" / "run.lock", "a run"):
        outcomes = load_all(config, now, progress, vendors=vendors, origin=origin)
        result, published = build_and_publish(config, now, full=full)
    return Night(tuple(outcomes), result, published)


def load_all(
    config: Config,
    now: datetime,
    progress: Progress,
    *,
    vendors: Sequence[Vendor],
    origin: str = "vendors",
) -> list[Outcome]:
    """Load vendors side by side and write each one's line into the journal."""
    _keep_apart(config.warehouse, origin)
    outcomes = load_vendors(vendors, config, now, progress)
    write_runs(config.warehouse, (_run(outcome, now) for outcome in outcomes))
    return outcomes


def build_and_publish(
    config: Config, now: datetime, *, full: bool = False
) -> tuple[BuildResult, Path]:
    """Bring the tables up to what the raw files hold and publish them, or nothing."""
    warehouse = config.warehouse
    raw = {
        name: path
        for name in all_vendors()
        if (path := raw_file(warehouse, name)).exists()
    }
    build_file = warehouse / "build.duckdb"
    with ExitStack() as locks:
        locks.enter_context(in_turn(warehouse / "locks" / "build.lock"))
        with ExitStack() as reading:
            for name in raw:
                reading.enter_context(in_turn(file_lock(warehouse, name), shared=True))
            result = _build(config, now, build_file, raw, full=full)
            build_file.chmod(0o600)
        published = publish(build_file, warehouse, now, config.keep_snapshots)
    return result, published


def _build(
    config: Config, now: datetime, build_file: Path, raw: dict[str, Path], *, full: bool
) -> BuildResult:
    context = {
        "callhouse": _house(config, now),
        "accounts": _accounts(config, raw),
        "rate_cards": _rate_cards(config.rate_cards),
        "runs": read_runs(config.warehouse),
    }
    try:
        return build(build_file, MODELS, raw, context, full=full)
    except Exception as error:
        sentence = f"{type(error).__name__}: {error}".splitlines()[0]
        failed = Run(now, "build", "", "failed", error=sentence)
        write_runs(config.warehouse, [failed])
        raise


def _house(config: Config, now: datetime) -> pa.Table:
    fields: dict[str, pa.DataType] = {
        "now": pa.timestamp("us", tz="UTC"),
        "reporting_time_zone": pa.string(),
        "reporting_currency": pa.string(),
    }
    row = (now, config.reporting_time_zone, config.reporting_currency)
    return pa.Table.from_pylist(
        [dict(zip(fields, row, strict=True))], schema=pa.schema(fields)
    )


def _accounts(config: Config, raw: dict[str, Path]) -> pa.Table:
    """Return the configured accounts, and those that are loaded but no longer are."""
    fields: dict[str, pa.DataType] = {
        "vendor": pa.string(),
        "account": pa.string(),
        "currency": pa.string(),
        "settle_after": pa.duration("us"),
    }
    rows: list[dict[str, object]] = [
        {
            "vendor": vendor.name,
            "account": account.alias,
            "currency": account.currency,
            "settle_after": vendor.settle_after,
        }
        for vendor in config.vendors
        for account in vendor.accounts
    ]
    configured = {(row["vendor"], row["account"]) for row in rows}
    rows += [
        {"vendor": name, "account": alias, "settle_after": SETTLE_AFTER}
        for name, path in raw.items()
        for alias in sorted({read.account for read in past_reads(path)})
        if (name, alias) not in configured
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def _rate_cards(cards: Sequence[RateCard]) -> pa.Table:
    text, amount = pa.string(), pa.decimal128(18, 6)
    fields: dict[str, pa.DataType] = {
        **dict.fromkeys(("vendor", "account", "direction", "component"), text),
        "unit": text,
        **dict.fromkeys(("increment", "minimum", "unit_price"), amount),
        **dict.fromkeys(("base_cost", "allowance"), amount),
        "currency": text,
        **dict.fromkeys(("valid_from", "valid_to"), pa.date32()),
    }
    schema = pa.schema(fields)
    return pa.Table.from_pylist([asdict(card) for card in cards], schema=schema)


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


def _run(outcome: Outcome, now: datetime) -> Run:
    return Run(
        started_at=now,
        command="load",
        vendor=outcome.vendor,
        outcome="complete" if outcome.is_complete else "incomplete",
        windows=outcome.windows,
        planned=outcome.planned,
        records=outcome.records,
        changed=outcome.changed,
        quarantined=outcome.quarantined,
        pending=outcome.pending,
        settled=outcome.settled,
        requests=outcome.requests,
        retries=outcome.retries,
        seconds=round(outcome.seconds, 3),
        error="; ".join(outcome.errors) or None,
        note="; ".join(outcome.notes) or None,
    )
