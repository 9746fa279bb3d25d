"""What several test modules share: a scripted vendor and the sandbox."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests
from hypothesis import settings

from pipelines.planning.windows import read_time
from pipelines.sandbox.process import Sandbox, running_sandbox

# How long an example takes is the machine's affair, not a property.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

LONGEST = [
    *("absences", "dbt_export", "verify", "backfill", "refusals", "old_warehouses"),
    *("run", "quarantine", "memory", "deletion_histories", "pending", "semantics"),
    *("interleavings", "audit", "zoom_engagements", "kills", "opening", "clock"),
    *(
        "explain",
        "request_budget",
        "contract_edges",
        "damaged_files",
        "coverage",
        "publish",
    ),
    *(
        "readme",
        "app",
        "cases",
        "rate_cards",
        "installed",
        "fx_rates",
        "runner",
        "wire",
    ),
]
"""Test files that are dealt to the workers first, so that none is left for the end."""

CALLHOUSE = str(Path(sys.executable).with_name("callhouse"))
VENDORS = ("evovoice", "twin", "voximplant", "whippy", "zoom")
FEW = [
    pytest.param(one, marks=() if one in {"twin", "whippy"} else pytest.mark.soak)
    for one in VENDORS
]
"""A vendor with three lists of its calls and one with a single list; make soak: all."""
TABLES = {
    "evovoice": "sessions",
    "twin": "calls",
    "voximplant": "call_sessions",
    "whippy": "calls",
    "zoom": "voice_calls",
}
"""Where a vendor's calls lie in its raw file."""
LAG = timedelta(minutes=5)
Row = dict[str, Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {f"test_{name}": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@dataclass
class Answer:
    """One scripted answer."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    """How many promised bytes never come."""


@dataclass
class ScriptedVendor:
    """A vendor on loopback that gives its answers in turn, and keeps what it got."""

    url: str
    answers: list[Answer]
    got: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    always: Callable[[str, bytes], Answer] | None = None
    """From path and body to the answer, instead of answers in turn."""


@pytest.fixture
def scripted() -> Iterator[ScriptedVendor]:
    with scripted_vendor() as vendor:
        yield vendor


@contextmanager
def scripted_vendor() -> Iterator[ScriptedVendor]:
    vendor = ScriptedVendor("", [])

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {key.lower(): value for key, value in self.headers.items()}
            got = (self.command, self.path, headers, self.rfile.read(length))
            vendor.got.append(got)
            always = vendor.always
            answer = always(self.path, got[3]) if always else vendor.answers.pop(0)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body) + answer.cut))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    vendor.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


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
        environment = {
            name: value
            for name, value in {**self.environment, **changed}.items()
            if value
        }
        return subprocess.Popen(
            [CALLHOUSE, *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **changed)
        output, errors = process.communicate(timeout=300)
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
            timeout=120,
            check=False,
        )

    def night(self, now: datetime, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Set the sandbox's clock and run a night at that time."""
        self.post("clock", {"now": stamp(now)})
        return self.run("run", "--now", stamp(now), *arguments)

    def post(self, path: str, body: dict[str, object]) -> None:
        answer = requests.post(
            f"{self.sandbox.url}/_sandbox/{path}", json=body, timeout=10
        )
        answer.raise_for_status()

    def disarm(self) -> None:
        """Take back every fault."""
        requests.delete(f"{self.sandbox.url}/_sandbox/faults", timeout=10)

    def undo(self) -> None:
        """Undo every change of calls and vendors."""
        requests.delete(f"{self.sandbox.url}/_sandbox/changes", timeout=10)

    def truth(self, vendor: str, since: datetime, until: datetime) -> list[Row]:
        """Return every call that the vendor would report now."""
        answer = requests.get(
            f"{self.sandbox.url}/_sandbox/truth",
            params={"vendor": vendor, "since": stamp(since), "until": stamp(until)},
            timeout=60,
        )
        answer.raise_for_status()
        calls: list[Row] = answer.json()
        return calls

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.published), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def open_house(
    folder: Path, now: datetime, *, days: int, **world: int
) -> Iterator[House]:
    """Give a sandbox with its clock at ``now`` and an empty warehouse."""
    folder.mkdir(parents=True, exist_ok=True)
    with running_sandbox(now, **world) as sandbox:
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "CALLHOUSE__HISTORY_DAYS": str(days),
            **sandbox.environment,
        }
        yield House(folder, sandbox, environment)


HELD = """
    select account, vendor_call_id, started_at, direction, total_seconds, cost_total,
        currency, vendor_outcome, coalesce(parts, map {}) as parts, coalesce(legs, 0)
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
        select call_key, count(*) as legs from fact_call_legs group by all
    ) using (call_key)
"""


def differences(
    house: House, now: datetime, days: int, vendors: Sequence[str] = VENDORS
) -> list[str]:
    """Compare facts, cost lines and legs with the vendors' truth, call by call."""
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
                call["leg_count"] or 0,
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


def exact(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
