"""What several test modules share: fixtures, and warehouses fed by the sandbox."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import pytest
from hypothesis import Phase, settings
from patience import PATIENCE
from sandbox_control import control, post, stamp, truth, undo
from typer.testing import CliRunner
from vendor_server import VendorServer, vendor_server

from pipelines.cli.app import app
from pipelines.planning.windows import read_time
from pipelines.sandbox.process import Sandbox, running_sandbox
from transforms.runner.build_state import LAYOUT, PROGRAM
from transforms.runner.storage import reading

HAS_LAKES = find_spec("duckdb_extension_ducklake") is not None
"""Tests of lakes need an environment of their own: make test-scale."""
pytest_plugins = ["lakes"] if HAS_LAKES else []
collect_ignore_glob = [] if HAS_LAKES else ["scale/test_lake_*.py"]
if find_spec("pyspark") is None:
    collect_ignore_glob.append("scale/test_spark.py")

# How long an example takes is the machine's affair, not a property.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# For make mutants, where it matters that an example fails, not how small it is.
settings.register_profile(
    "unshrunk", deadline=None, database=None, phases=(Phase.explicit, Phase.generate)
)

LONGEST = [
    *("dbt_export", "absences", "refusals", "run", "verify", "interleavings"),
    *("erase", "backup", "retention", "nights", "memory", "backfill", "old_warehouses"),
    *("damaged_files", "pending", "kills", "one_night", "report"),
    *("runner", "quarantine", "audit", "clock", "twin_semantics", "publish"),
    *("add_a_vendor", "rate_cards", "coverage", "contract_edges", "installed", "wire"),
    *("explain", "fx_rates", "opening", "zoom_engagements", "contracts", "cases"),
    "notify",
]
"""Test files that are dealt to the workers first, so that none is left for the end."""

HOURS = 6 * 3600
"""Seconds that a test of the soak may take."""

CALLHOUSE = str(Path(sys.executable).with_name("callhouse"))
VENDORS = ("evovoice", "twin", "voximplant", "whippy", "zoom")
FEW = [
    pytest.param(one, marks=() if one in {"twin", "whippy"} else pytest.mark.soak)
    for one in VENDORS
]
"""A vendor with three lists of its calls, one with a single list; the soak has all."""
TABLES = {
    "evovoice": "sessions",
    "twin": "calls",
    "voximplant": "call_sessions",
    "whippy": "calls",
    "zoom": "voice_calls",
}
"""Where a vendor's calls lie in its raw file."""
LAG = timedelta(minutes=5)
TUESDAY = read_time("2026-11-17T03:00:00Z")
Row = dict[str, Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {f"test_{name}": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))
    for item in items:
        if item.get_closest_marker("soak") or item.get_closest_marker("history"):
            item.add_marker(pytest.mark.timeout(HOURS))


@pytest.fixture
def scripted() -> Iterator[VendorServer]:
    with vendor_server() as vendor:
        yield vendor


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """Give the sandbox as it is; a test that changes it asks for ``world``."""
    with running_sandbox(TUESDAY, volume=130) as running:
        yield running


@pytest.fixture
def world(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Give the sandbox, and leave its clock, its faults and its tokens as they were."""
    yield sandbox
    undo(sandbox, "faults")
    control(sandbox, "clock", now=stamp(TUESDAY))
    for vendor in ("zoom", "twin", "evovoice"):
        control(sandbox, "token_life", vendor=vendor, seconds=3600)


@dataclass(frozen=True)
class House:
    """A warehouse of its own that loads from a sandbox, run as its operator does."""

    folder: Path
    sandbox: Sandbox
    environment: dict[str, str]

    @property
    def published(self) -> Path:
        return self.folder / "warehouse" / "calls.duckdb"

    def start(self, *arguments: str, **changed: str) -> subprocess.Popen[str]:
        """Start a command, with ``changed`` variables; an empty one is left out."""
        return subprocess.Popen(
            [CALLHOUSE, *arguments],
            cwd=self.folder,
            env=filled({**self.environment, **changed}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """Run a command in this process, which has imported all it needs."""
        return callhouse(self.folder, {**self.environment, **changed}, *arguments)

    def run_apart(
        self, *arguments: str, **changed: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a process of its own: all that it and its children print."""
        process = self.start(*arguments, **changed)
        output, errors = process.communicate(timeout=PATIENCE)
        return subprocess.CompletedProcess(
            process.args, process.returncode, output, errors
        )

    def run_python(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script as somebody would who has the package installed."""
        return subprocess.run(
            [sys.executable, "-c", script],
            cwd=self.folder,
            env={**self.environment, "RUNTIME__DLTHUB_TELEMETRY": "false"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def night(self, now: datetime, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Set the sandbox's clock and run a night at that time."""
        self.post("clock", {"now": stamp(now)})
        return self.run("run", "--now", stamp(now), *arguments)

    def post(self, path: str, body: dict[str, object]) -> None:
        post(self.sandbox, path, body)

    def disarm(self) -> None:
        """Take back every fault."""
        undo(self.sandbox, "faults")

    def undo(self) -> None:
        """Undo every change of calls and vendors."""
        undo(self.sandbox, "changes")

    def truth(self, vendor: str, since: datetime, until: datetime) -> list[Row]:
        """Return every call that the vendor would report now."""
        return truth(self.sandbox, vendor, since, until)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with reading(self.published) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()


def stamped(folder: Path) -> Path:
    """Make a published file in a folder that has a stamp alone; return its path."""
    file = folder / "warehouse" / "calls.duckdb"
    file.parent.mkdir()
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema ops")
        connection.execute(
            "create table ops.build_state as select $1 as layout, $2 as program",
            [LAYOUT, PROGRAM],
        )
    return file


def copy_of(house: House, folder: Path) -> House:
    """Copy a warehouse to another folder; it goes on with the same sandbox."""
    shutil.copytree(house.folder / "warehouse", folder / "warehouse", symlinks=True)
    return replace(house, folder=folder, environment={**house.environment})


def callhouse(
    folder: Path, environment: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder and with this environment alone."""
    alone = patch.dict(os.environ, filled(environment), clear=True)
    umask = os.umask(0o022)  # some commands narrow it
    try:
        with chdir(folder), alone:
            done = CliRunner().invoke(app, arguments, prog_name="callhouse")
    finally:
        os.umask(umask)
    return subprocess.CompletedProcess(
        arguments, done.exit_code, done.stdout, done.stderr
    )


def filled(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out what is empty."""
    return {name: value for name, value in environment.items() if value}


@contextmanager
def open_house(
    folder: Path, now: datetime, *, days: int, **world: int | str
) -> Iterator[House]:
    """Give a sandbox with its clock at ``now`` and an empty warehouse."""
    folder.mkdir(parents=True, exist_ok=True)
    with running_sandbox(now, **world) as sandbox:
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "CALLHOUSE__HISTORY_DAYS": str(days),
            "CALLHOUSE__REPORT__ENABLED": "false",
            **sandbox.environment,
        }
        yield House(folder, sandbox, environment)


WITH_PARTS = """
    from fact_calls
    left join (
        select call_key, map_from_entries(list((component, amount))) as parts
        from (
            select call_key, component, sum(amount) as amount
            from fact_call_costs
            where is_leaf and amount is not null
            group by all
        )
        group by all
    ) using (call_key)
    left join (
        select
            call_key,
            list(
                {'seconds': total_seconds, 'cost': cost}
                order by total_seconds nulls first, cost nulls first
            ) as legs
        from fact_call_legs
        group by all
    ) using (call_key)
"""
"""Each call with its costs by component, `parts`, and its legs."""
HELD = f"""
    select account, vendor_call_id, started_at, direction, total_seconds, cost_total,
        currency, vendor_outcome, coalesce(parts, map {{}}) as parts,
        coalesce(legs, []) as legs, call_type, outcome, is_answered, is_abandoned
    {WITH_PARTS}
"""


def differences(
    house: House, now: datetime, days: int, vendors: Sequence[str] = VENDORS
) -> list[str]:
    """Compare facts, cost lines and legs with the vendors' truth, call by call.

    What became of a call is compared, too.
    """
    since, until = now - timedelta(days=days), now - LAG
    found = []
    for vendor in vendors:
        # Calls created earlier are there too where they changed, or where a price
        # needs its whole month; they must be right as well.
        truth = house.truth(vendor, since - timedelta(days=45), until)
        expected = {
            (call["account"], call["vendor_call_id"]): (
                read_time(call["started_at"]),
                call["direction"],
                exact(call["total_seconds"]),
                exact(call["cost"]),
                call["currency"],
                call["vendor_outcome"] or None,
                parts_of(call["lines"]),
                legs_of(call["legs"]),
                call["call_type"] or call["direction"],
                call["outcome"],
                call["is_answered"],
                call["is_abandoned"],
            )
            for call in truth
        }
        due = {
            (call["account"], call["vendor_call_id"])
            for call in truth
            if read_time(call["event_at"]) >= since.replace(hour=0)
        }
        held = {
            row[:2]: row[2:]
            for row in house.query(
                f"{HELD} where vendor = '{vendor}' "
                f"and started_at < '{until}' and not is_deleted"
            )
        }
        assert due, f"{vendor}: the sandbox has no calls to compare"
        found += [f"{vendor} lacks {key}" for key in sorted(due - held.keys())]
        found += [
            f"{vendor} {key}: holds {row}, truth is {expected.get(key)}"
            for key, row in held.items()
            if row != expected.get(key)
        ]
    return found


def parts_of(lines: Sequence[Mapping[str, str]]) -> dict[str, Decimal]:
    """Add up the lines of a call by component."""
    parts: dict[str, Decimal] = {}
    for line in lines:
        amount = Decimal(line["amount"])
        parts[line["component"]] = parts.get(line["component"], Decimal(0)) + amount
    return parts


def legs_of(
    legs: Sequence[Mapping[str, str | None]],
) -> list[dict[str, Decimal | None]]:
    """Return seconds and cost of each leg, in the order of WITH_PARTS."""
    exactly = [{name: exact(text) for name, text in leg.items()} for leg in legs]
    return sorted(
        exactly,
        key=lambda leg: [(one is not None, one or 0) for one in leg.values()],
    )


def exact(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
