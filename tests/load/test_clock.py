"""A run whose clock is wrong loses nothing, now or in the nights after it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import duckdb
import msgspec
import pytest
from conftest import FEW
from raw_files import RawFiles, whippy_call
from sandbox_control import control, stamp
from vendor_server import Answer, VendorServer, vendor_server

from pipelines.config.loader import read_config
from pipelines.config.model import Config
from pipelines.extract.client import Client
from pipelines.extract.errors import VendorError
from pipelines.extract.rate_limit import VendorRun
from pipelines.load.loader import load
from pipelines.planning.reasons import CLOCK
from pipelines.planning.windows import DAY, read_time
from pipelines.sandbox.process import Sandbox, running_sandbox
from pipelines.sources import streams_of
from pipelines.warehouse.journal import LoadResult

NOW = read_time("2026-11-17T03:00:00Z")
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox(NOW, volume=6) as found:
        yield found


def configured(sandbox: Sandbox, vendor: str, folder: Path, **more: str) -> Config:
    environment = {
        **sandbox.environment,
        "CALLHOUSE__WAREHOUSE": str(folder),
        "CALLHOUSE__HISTORY_DAYS": "4",
        **more,
    }
    config = read_config(folder / "none", environment)
    return replace(config, vendors=tuple(v for v in config.vendors if v.name == vendor))


def night(config: Config, now: datetime) -> LoadResult:
    (vendor,) = config.vendors
    return load(vendor, config, now, lambda *_: None, audit=False)


def stored(config: Config, sql: str) -> list[tuple[object, ...]]:
    (vendor,) = config.vendors
    raw = config.warehouse.raw(vendor.name)
    with duckdb.connect(str(raw), read_only=True) as file:
        file.execute("set timezone = 'UTC'")
        return file.execute(sql).fetchall()


@pytest.mark.parametrize("vendor", FEW)
def test_a_night_ahead_of_its_vendor_is_refused_and_loses_nothing(
    sandbox: Sandbox,
    vendor: str,
    tmp_path: Path,
) -> None:
    control(sandbox, "clock", now=stamp(NOW))
    config = configured(sandbox, vendor, tmp_path / "lived")
    ahead = night(config, NOW + 10 * DAY)
    (sentence,) = ahead.errors
    assert "over 10 minutes apart; set this machine's clock or --now right" in sentence
    assert f"{NOW:%Y-%m-%d %H:%M:%S}Z" in sentence
    assert f"{NOW + 10 * DAY:%Y-%m-%d %H:%M}" in sentence
    states = "select distinct state, reason from raw.load_windows"
    assert stored(config, states) == [("failed", CLOCK)]
    at_once = configured(sandbox, vendor, tmp_path / "at once")
    for now in (NOW, NOW + DAY):
        control(sandbox, "clock", now=stamp(now))
        for one in (config, at_once):
            healthy = night(one, now)
            assert healthy.is_complete, healthy.problems
    for stream in streams_of(vendor):
        records = f"select distinct account, record_id from raw.{stream.table}"
        found = set(stored(config, records))
        assert found == set(stored(at_once, records))
        assert found or not stream.calls


@pytest.mark.parametrize(
    ("ahead", "is_as_of", "is_refused"),
    [
        (timedelta(), False, False),
        (9 * MINUTE, False, False),
        (-9 * MINUTE, False, False),
        (11 * MINUTE, False, True),
        (-11 * MINUTE, False, True),
        (9 * MINUTE, True, False),
        (11 * MINUTE, True, True),
        (-250 * DAY, True, False),
    ],
)
@pytest.mark.parametrize("status", [200, 401, 500])
def test_the_first_answer_of_any_kind_shows_whether_the_clocks_agree(
    ahead: timedelta,
    is_as_of: bool,  # noqa: FBT001 - pytest's own parameter
    is_refused: bool,  # noqa: FBT001
    status: int,
) -> None:
    ours = NOW + ahead
    date = format_datetime(datetime.fromisoformat(stamp(NOW)))
    head = f"HTTP/1.1 {status} x\r\nDate: {date}\r\n"
    run = VendorRun(lambda: ours, ours if is_as_of else None)
    with vendor_server() as server:
        server.send = lambda: [head.encode() + b"Content-Length: 2\r\n\r\n{}"]
        url = f"http://localhost:{server.port}"
        client = Client("acme", url, run=run, patience_seconds=0.1)
        said = []
        for _ in range(2):
            try:
                client.ask("GET", "/", msgspec.Raw)
            except VendorError as error:
                said.append((error.reason, str(error)))
        reasons = {reason for reason, _ in said}
        assert (reasons == {CLOCK}) is is_refused
        assert not is_refused or (len(set(said)), len(server.requests)) == (1, 1)


@pytest.mark.parametrize(
    "headers",
    [
        "",
        "Date: yesterday\r\n",
        "Date: Tue, 17 Nov 20261111111 03:00:00 GMT\r\n",
        "Date: \r\n",
        "Date: Tue, 17 Nov 2026 02:00:00 -0000\r\n",
        "Date: Tue, 17 Nov 2026 02:00:00 GMT\r\nAge: 3600\r\n",
    ],
)
def test_no_date_a_strange_one_and_one_out_of_a_cache_prove_nothing(
    headers: str,
) -> None:
    run = VendorRun(lambda: NOW)
    with vendor_server() as server:
        server.send = lambda: [
            f"HTTP/1.1 200 OK\r\n{headers}Content-Length: 2\r\n\r\n{{}}".encode()
        ]
        client = Client("acme", f"http://localhost:{server.port}", run=run)
        client.ask("GET", "/", msgspec.Raw)
    assert run.clock_trouble is None


@pytest.mark.parametrize("vendor", ["whippy", "zoom"])
def test_no_window_ends_after_its_vendors_clock(
    sandbox: Sandbox, vendor: str, tmp_path: Path
) -> None:
    """Within the minutes that clocks may differ, and where nothing is read twice."""
    control(sandbox, "clock", now=stamp(NOW))
    key = f"CALLHOUSE__SOURCES__{vendor.upper()}__LOOKBACK_DAYS"
    config = configured(sandbox, vendor, tmp_path, **{key: "0"})
    behind = night(config, NOW + 9 * MINUTE)
    assert behind.is_complete, behind.problems
    ends = "select max(window_end) from raw.load_windows"
    ((end,),) = stored(config, ends)
    # The run's clock has gone on since; the end is a whole minute of the vendor's.
    assert NOW - 3 * MINUTE <= end <= NOW


HISTORIES = {"one": (60, 90, None), "two": (60, None, 120)}
"""Seconds of each call in load after load; None: its vendor has deleted it."""


@pytest.mark.parametrize(
    "pace", [-MINUTE, pytest.param(MINUTE, marks=pytest.mark.soak)]
)
def test_the_last_load_decides_whatever_its_clock_said(
    tmp_path: Path, pace: timedelta
) -> None:
    house = RawFiles(tmp_path, pace=pace)
    began = house.now - 9 * DAY
    for lengths in zip(*HISTORIES.values(), strict=True):
        now = dict(zip(HISTORIES, lengths, strict=True))
        calls = [(s, *whippy_call(name, began, s)) for name, s in now.items()]
        house.load("whippy", [(*one, s and payload) for s, *one, payload in calls])
        house.build()
        found = house.query("select vendor_call_id, is_deleted from fact_calls")
        assert dict(found) == {name: s is None for name, s in now.items()}
        found = house.query(
            "select vendor_call_id, total_seconds from fact_calls where not is_deleted"
        )
        assert dict(found) == {name: s for name, s in now.items() if s}
    changes = (
        "select vendor_call_id, new from ops.call_changes join fact_calls "
        "using (call_key) where field = 'is_deleted'"
    )
    gone = [("one", "true"), ("two", "true")]
    assert sorted(house.query(changes)) == sorted([*gone, ("two", "false")])
    one_by_one = house.tables()
    house.build(full=True)
    assert house.tables() == one_by_one


@pytest.mark.soak
def test_what_is_read_with_a_clock_set_back_is_newer_all_the_same(
    tmp_path: Path, scripted: VendorServer
) -> None:
    """A correction, in a night that begins minutes before the one before it."""
    records = [{"id": "one", "created_at": stamp(NOW - DAY), "duration": 1000}]
    scripted.always = lambda *_: Answer(
        msgspec.json.encode({"data": records, "total": len(records)})
    )
    environment = {
        "CALLHOUSE__WAREHOUSE": str(tmp_path),
        "CALLHOUSE__HISTORY_DAYS": "1",
        "CALLHOUSE__SOURCES__WHIPPY__BASE_URL": scripted.url,
        "CALLHOUSE__SOURCES__WHIPPY__API_KEY": "k",
        "CALLHOUSE__SOURCES__WHIPPY__REQUESTS_PER_SECOND": "1000",
    }
    config = replace(read_config(tmp_path / "none", environment), is_as_of=True)
    for number, minutes in enumerate((0, 8, 4, 9)):
        records[0]["duration"] = 1000 + number
        night(config, NOW - minutes * MINUTE)
        # The same once more is no news, and no version.
        night(config, NOW - minutes * MINUTE)
    versions = "select payload->>'duration' from raw.calls order by load_no, fetched_at"
    assert stored(config, versions) == [(str(1000 + n),) for n in range(4)]
