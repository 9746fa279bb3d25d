"""The guide's own files make a vendor: it loads, and its calls are in every table."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from patience import PATIENCE
from vendor_server import Answer, VendorServer, vendor_server

from pipelines.planning.windows import read_time

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs/add-a-vendor.md").read_text()
FILES = re.findall(r"^```\w+ (\S+)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
MAIN = (
    "import sys; from pipelines.cli.app import main; sys.argv[0] = 'callhouse'; main()"
)
NOW = "2026-11-17T03:00:00Z"
CALLS = [
    {
        "id": f"a-{number}",
        "started_at": f"2026-11-{10 + number % 6}T1{number % 10}:00:00+00:00",
        "direction": "inbound",
        "status": "answered" if number % 3 else "missed",
        "duration": number,
        "price": "" if number == 7 else f"0.{number:02}",
        "currency": "USD",
    }
    for number in range(250)
]
"""More than a page of some days has at 20 records."""


def answer(path: str, _: bytes) -> Answer:
    """Return a page of the calls that started in the window asked for."""
    asked = {key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}
    start, end = read_time(asked["from"]), read_time(asked["to"])
    found = [call for call in CALLS if start <= at(call) < end]
    offset, limit = int(asked["offset"]), int(asked["limit"])
    page = {"calls": found[offset : offset + limit], "total": len(found)}
    return Answer(json.dumps(page).encode())


def at(call: dict[str, Any]) -> datetime:
    return read_time(call["started_at"])


@pytest.fixture
def vendor() -> Iterator[VendorServer]:
    with vendor_server() as scripted:
        scripted.always = answer
        yield scripted


def callhouse(folder: Path, url: str, *command: str) -> str:
    """Run a command of the copy in a folder; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *command],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(folder),
            "CALLHOUSE__SOURCES__ACME__API_KEY": "canary-key",
            "CALLHOUSE__SOURCES__ACME__BASE_URL": url,
            "CALLHOUSE__SOURCES__ACME__PAGE_SIZE": "20",
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def query(folder: Path, url: str, sql: str) -> list[Any]:
    rows: list[Any] = json.loads(callhouse(folder, url, "query", "--json", sql))
    return rows


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Give a copy of the product with the guide's files, and nothing else, added."""
    for name in ("pipelines", "transforms"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name, text in FILES:
        path = tmp_path / name
        assert not path.exists(), f"{name} is there already"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_vendor_of_the_guide_is_loaded_and_told_of_everywhere(
    checkout: Path, vendor: VendorServer
) -> None:
    callhouse(checkout, vendor.url, "run", "--now", NOW, "--vendor", "acme")
    (found,) = query(
        checkout,
        vendor.url,
        "select count(*) as calls, sum(total_seconds)::int as seconds,"
        " sum(cost_total)::decimal(18, 6)::varchar as cost,"
        " count(*) filter (where cost_status = 'pending') as pending,"
        " (select count(*) from ops.coverage_days where vendor = 'acme') as days"
        " from fact_calls where vendor = 'acme'",
    )
    assert found["calls"] == len(CALLS)
    assert found["seconds"] == sum(range(250))
    assert found["cost"] == f"{sum_of_prices():.6f}"
    assert found["pending"] == 1
    assert found["days"] > 0
    status = json.loads(
        callhouse(checkout, vendor.url, "status", "--json", "--now", NOW)
    )
    assert "acme" in json.dumps(status)


def sum_of_prices() -> Decimal:
    return sum((Decimal(call["price"] or 0) for call in CALLS), Decimal())


def test_a_part_that_a_source_lacks_is_named_in_a_sentence(
    checkout: Path, vendor: VendorServer
) -> None:
    source = checkout / "pipelines/sources/acme.py"
    source.write_text(source.read_text().replace("def connect(", "def connected("))
    with pytest.raises(AssertionError, match=r"acme\.py has no connect; a source has"):
        callhouse(checkout, vendor.url, "run", "--now", NOW, "--vendor", "acme")


def test_days_of_the_calls_lie_in_the_history() -> None:
    """Or the comparison would be one of nothing."""
    since = read_time(NOW) - timedelta(days=30)
    assert all(since < at(call) < read_time(NOW) for call in CALLS)
