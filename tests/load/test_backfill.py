"""Backfills: any order gives the same tables, and an interrupted one goes on."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import VENDORS, House, differences, open_house
from patience import PATIENCE
from sandbox_control import asked_of, stamp

from pipelines.commands.pace import duration, pace
from pipelines.config.model import Account
from pipelines.load.change_detection import Tally
from pipelines.load.result import lost
from pipelines.planning.request_budget import days_needed
from pipelines.planning.windows import DAY, day_windows, read_time

NOW = read_time("2026-11-17T03:00:00Z")
DAYS = 10
A_BATCH = 16
FROM = f"{NOW - DAYS * DAY:%Y-%m-%d}"
FACTS = (
    "select * exclude (first_loaded_at, last_loaded_at, load_id) "
    "from fact_calls order by call_key"
)
UNTIL_DISARMED: dict[str, object] = {
    "vendor": "zoom",
    "kind": "slow",
    "seconds": PATIENCE,
    "times": 1,
}
Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a house of which one night holds all of ten days of TWIN's calls."""
    folder = tmp_path_factory.mktemp("backfill")
    with open_house(folder, NOW, days=DAYS, volume=12) as house:
        night = house.night(NOW, "--vendor", "twin")
        assert night.returncode == 0, night.stderr
        assert differences(house, NOW, DAYS, ["twin"]) == []
        yield house


@pytest.fixture
def facts(house: House) -> Rows:
    return house.query(FACTS)


@pytest.fixture(scope="module")
def of_every_vendor(house: House, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """Return what a night holds of ten days of every vendor."""
    every = replace(house, folder=tmp_path_factory.mktemp("every"))
    night = every.night(NOW)
    assert night.returncode == 0, night.stderr
    assert differences(every, NOW, days=DAYS) == []
    return every.query(FACTS)


@pytest.fixture
def empty(house: House, tmp_path: Path) -> Iterator[House]:
    """Give an empty warehouse beside it, whose nights begin two days ago."""
    environment = {**house.environment, "CALLHOUSE__HISTORY_DAYS": "2"}
    yield replace(house, folder=tmp_path, environment=environment)
    house.disarm()


def order(*arguments: str, since: str = FROM, now: str = stamp(NOW)) -> list[str]:
    return ["backfill", "--from", since, "--now", now, *arguments]


def asked(house: House, vendor: str) -> int:
    """Return the requests that a vendor has got for its lists."""
    twin = house.environment["CALLHOUSE__SOURCES__TWIN__PATH"]
    place = {"twin": twin, "zoom": "/contact_center/voice_calls"}[vendor]
    return sum(
        count for path, count in asked_of(house.sandbox).items() if path.endswith(place)
    )


def unwrapped(text: str) -> str:
    return " ".join(text.split())


def wait_for(process: subprocess.Popen[str], pattern: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if re.search(pattern, line):
            return
    raise AssertionError(f"it ended and never said {pattern}")


@pytest.mark.soak
def test_forward_gives_what_the_nights_give(
    empty: House, of_every_vendor: Rows
) -> None:
    done = empty.run(*order("--oldest-first"))
    assert done.returncode == 0, done.stderr
    assert empty.query(FACTS) == of_every_vendor


@pytest.mark.soak
def test_overlapping_ranges_in_any_order_give_what_the_nights_give(
    empty: House, of_every_vendor: Rows
) -> None:
    for first, last in [(FROM, "2026-11-12"), ("2026-11-10", "2026-11-17")]:
        done = empty.run(*order("--to", last, since=first))
        assert done.returncode == 0, done.stderr
    assert empty.query(FACTS) == of_every_vendor


@pytest.mark.soak
def test_beside_a_night_it_gives_what_the_nights_give(
    empty: House, of_every_vendor: Rows
) -> None:
    backfill = empty.start(*order())
    wait_for(backfill, r": \d+ of \d+ windows")
    night = empty.run("run", "--now", stamp(NOW))
    assert night.returncode == 0, night.stderr
    _, said = backfill.communicate(timeout=PATIENCE)
    assert backfill.returncode == 0, said
    assert empty.query(FACTS) == of_every_vendor
    journal = (empty.folder / "warehouse" / "runs.jsonl").read_text().splitlines()
    told = [json.loads(line) for line in journal]
    assert {(run["command"], run["vendor"]) for run in told} == {
        (command, vendor) for command in ("backfill", "load") for vendor in VENDORS
    }


@pytest.fixture
def small_batches(tmp_path: Path) -> Path:
    """Return a folder for PYTHONPATH with which a batch has only `A_BATCH` windows."""
    small = f"from pipelines.load import loader\nloader.BATCH_WINDOWS = {A_BATCH}\n"
    (tmp_path / "sitecustomize.py").write_text(small)
    return tmp_path


@pytest.mark.parametrize(
    "stop", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.soak)]
)
def test_an_interrupted_one_goes_on_and_asks_at_most_a_batch_again(
    empty: House, facts: Rows, small_batches: Path, stop: signal.Signals
) -> None:
    before = asked(empty, "twin")
    command = order("--vendor", "twin")
    backfill = empty.start(*command, PYTHONPATH=f"{small_batches}")
    wait_for(backfill, f"twin: {A_BATCH} of")
    backfill.send_signal(stop)
    _, said = backfill.communicate(timeout=PATIENCE)
    if stop is not signal.SIGKILL:
        assert backfill.returncode == 128 + stop
        assert "Traceback" not in said
        last = said.splitlines()[-1]
        assert "interrupted; what is loaded stays" in last
        assert "the same command continues from there" in last
    assert not empty.published.exists()
    done = empty.run(*command, "--json")
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)["loaded"]
    windows = 3 * (DAYS + 1)
    assert told["windows"] <= windows - A_BATCH
    read = empty.query("select stream, window_start from ops.load_windows")
    assert len(read) == len(set(read)) == windows
    assert windows <= asked(empty, "twin") - before <= windows + A_BATCH
    assert empty.query(FACTS) == facts


def test_a_night_too_ends_when_told_to_and_is_made_good_by_the_next(
    empty: House,
) -> None:
    night = empty.start("run", "--now", stamp(NOW))
    wait_for(night, ": 0 of")
    night.terminate()
    _, said = night.communicate(timeout=PATIENCE)
    assert night.returncode == 143
    assert "Traceback" not in said
    assert "interrupted; what is loaded stays" in said.splitlines()[-1]
    assert empty.run("load", "--now", stamp(NOW), "--vendor", "zoom").returncode == 0


def test_a_dry_run_foretells_and_writes_nothing(empty: House) -> None:
    def files() -> set[Path]:
        return {*empty.folder.rglob("*")}

    before, command = files(), order("--vendor", "twin", "--vendor", "zoom")
    said = empty.run(*command, "--dry-run")
    assert said.returncode == 0, said.stderr
    assert "Nothing was written" in said.stderr
    foretold = json.loads(empty.run(*command, "--dry-run", "--json").stdout)
    assert files() == before
    assert empty.run(*command).returncode == 0
    real = dict(
        empty.query(
            "select vendor || '.' || stream, (count(*), sum(requests), "
            "sum(rows_distinct)) from ops.load_windows where state = 'complete' "
            "group by all"
        )
    )
    streams = {
        f"{stream['vendor']}.{stream['stream']}": stream
        for vendor in foretold["vendors"]
        for stream in vendor["streams"]
        if stream["stream"] != "engagements"
    }
    assert streams.keys() == real.keys()
    for name, (windows, sent, records) in real.items():
        assert streams[name]["to_read"] == windows
        assert streams[name]["requests"] == pytest.approx(float(sent), rel=0.2)
        assert streams[name]["records"] == pytest.approx(float(records), rel=0.6)
    held = json.loads(empty.run(*command, "--dry-run", "--json").stdout)
    assert sum(a["requests"] for v in held["vendors"] for a in v["accounts"]) == 1
    quotas = {
        a["vendor"]: (a["daily_requests"], a["used_today"] > 0)
        for vendor in held["vendors"]
        for a in vendor["accounts"]
    }
    assert quotas == {"twin": (0, True), "zoom": (15_000, True)}


def test_a_range_is_loaded_without_a_build(empty: House, facts: Rows) -> None:
    wanted = ("load", "--vendor", "twin", "--now", stamp(NOW))
    (refused,) = empty.run(*wanted, "--to", "2026-11-10").stderr.splitlines()[-1:]
    assert "name the first day as well, with --from" in refused
    assert not empty.folder.joinpath("warehouse").exists()
    for _ in range(2):
        done = empty.run(*wanted, "--from", FROM, "--json")
        assert done.returncode == 0, done.stderr
        assert not empty.published.exists()
    assert json.loads(done.stdout)["loaded"][0]["windows"] == 0, "all was loaded"
    assert empty.run("transform", "--now", stamp(NOW)).returncode == 0
    assert empty.query(FACTS) == facts


def test_force_reads_again_what_is_held(house: House, facts: Rows) -> None:
    command = order("--vendor", "twin", "--to", "2026-11-10", "--json")

    def windows(*more: str) -> int:
        done = house.run(*command, *more)
        assert done.returncode == 0, done.stderr
        return int(json.loads(done.stdout)["loaded"][0]["windows"])

    assert windows() == 0
    assert windows("--force") == 3 * 4
    assert house.query(FACTS) == facts


@pytest.mark.soak
def test_a_night_waits_for_a_batch_and_goes_before_the_next(
    empty: House, small_batches: Path
) -> None:
    empty.post("faults", UNTIL_DISARMED)
    engagements = {"CALLHOUSE__SOURCES__ZOOM__ENGAGEMENTS": "false"}
    command = order("--vendor", "zoom", since="2026-10-10")
    path = {"PYTHONPATH": f"{small_batches}"}
    backfill = empty.start(*command, **engagements, **path)
    wait_for(backfill, "zoom: 0 of 39")
    night = empty.start("run", "--vendor", "zoom", "--now", stamp(NOW), **engagements)
    wait_for(night, r"waits until a batch of a backfill is in \(process")
    empty.disarm()
    _, said = night.communicate(timeout=PATIENCE)
    assert night.returncode == 0, said
    _, said = backfill.communicate(timeout=PATIENCE)
    assert backfill.returncode == 0, said
    assert "waits until the run that loads zoom ends (process" in unwrapped(said)
    orders = empty.query(
        "select purpose, min(started_at), max(started_at) from ops.load_windows "
        "group by 1"
    )
    (begun, ended), *nightly = [
        times for purpose, *times in sorted(orders) if purpose != "settle"
    ]
    assert nightly
    assert all(begun < first and last < ended for first, last in nightly)


def test_a_second_one_says_who_is_at_it_and_leaves(empty: House) -> None:
    empty.post("faults", UNTIL_DISARMED)
    first = empty.start(*order("--vendor", "zoom"))
    wait_for(first, "zoom: 0 of")
    second = empty.run(*order("--vendor", "zoom"))
    assert second.returncode == 1
    expected = f"a backfill of zoom is already going on (process {first.pid}"
    assert expected in unwrapped(second.stderr)
    empty.disarm()
    first.communicate(timeout=PATIENCE)
    assert first.returncode == 0


@pytest.mark.soak
def test_days_no_longer_served_are_told_and_not_asked_for_again(empty: House) -> None:
    body = {"code": 300, "message": "The date must be within the past six months."}
    fault = {"vendor": "zoom", "kind": "status", "status": 400, "body": body}
    fault |= {"path": "/voice_calls", "times": 4, "after": 3}
    empty.post("faults", fault)
    command = order("--vendor", "zoom", "--to", "2026-11-16", "--json")
    done = empty.run(*command)
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)["loaded"]
    assert (told["windows"], told["planned"], told["errors"]) == (6, 6, [])
    assert any("these days are no longer served" in note for note in told["notes"])
    states = empty.query(
        "select state, count(*) from ops.load_windows where stream = 'voice_calls' "
        "group by 1 order by 1"
    )
    assert states == [("complete", 6), ("unreachable", 4)]
    before = asked(empty, "zoom")
    assert empty.run(*command).returncode == 0
    assert asked(empty, "zoom") == before
    assert empty.run(*command, "--force").returncode == 0
    assert asked(empty, "zoom") >= before + 10


def test_a_dry_run_tells_what_keeps_it_from_foretelling(empty: House) -> None:
    wrong = {"CALLHOUSE__SOURCES__ZOOM__ACCOUNTS__MAIN__CLIENT_SECRET": "canary"}
    said = empty.run(*order("--vendor", "zoom", "--dry-run"), **wrong)
    assert said.returncode == 1
    assert "check account_id, client_id and client_secret" in unwrapped(said.stderr)
    address = {"CALLHOUSE__SOURCES__ZOOM__BASE_URL": "nowhere"}
    said = empty.run(*order("--vendor", "zoom", "--dry-run"), **address)
    assert said.returncode == 2
    assert "base_url does not begin with https://" in unwrapped(said.stderr)
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--from", "2026-11-18"], "--from 2026-11-18 lies in the future; it is"),
        (
            ["--from", "2026-11-10", "--to", "2026-11-09"],
            "--from 2026-11-10 lies after --to 2026-11-09",
        ),
        (["--from", FROM, "--vendor", "zom"], "--vendor zom: not configured"),
        (["--from", FROM, "--account", "b"], "--account b: not configured; configured"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(
    house: House, arguments: list[str], expected: str
) -> None:
    done = house.run("backfill", "--now", stamp(NOW), *arguments)
    assert done.returncode == 2
    *places, sentence = done.stderr.splitlines()
    assert expected in sentence
    assert len(places) <= 1


def test_one_account_of_two_can_be_read(tmp_path: Path) -> None:
    with open_house(tmp_path, NOW, days=2, volume=10, accounts=2) as house:
        chosen = ["--vendor", "whippy", "--account", "second", "--to", "2026-11-15"]
        done = house.run(*order(*chosen, since="2026-11-14"))
        assert done.returncode == 0, done.stderr
        held = house.query("select distinct vendor, account from fact_calls")
        assert held == [("whippy", "second")]


def ledger(account: str, start: str, state: str, reason: str = "") -> dict[str, Any]:
    moment = read_time(f"{start}T00:00:00Z")
    row = {"account": account, "stream": "calls", "window_start": moment}
    return {**row, "state": state, "reason": reason or None, "error": reason}


def test_a_stream_that_is_not_granted_takes_its_other_days_along_in_any_order() -> None:
    main, second = (Account("zoom", alias) for alias in ("main", "second"))
    newest_first = day_windows("calls", "2026-11-01", "2026-11-06")[::-1]
    left = [(one, window) for window in newest_first for one in (main, second)]
    rows = [ledger("main", "2026-11-05", "complete")]
    rows += [ledger("main", "2026-11-04", "unreachable", "not_authorized")]
    rows += [ledger("second", "2026-11-05", "unreachable", "expired")]
    rows += [ledger("second", "2026-11-04", "complete")]
    tally = Tally(ledger=rows)
    assert {(alias, start.day) for alias, _, start in lost(left, tally)} == {
        ("main", 4),
        ("main", 3),
        ("main", 2),
        ("main", 1),
        ("second", 5),
    }


def test_the_pace_is_told_as_people_speak_of_it() -> None:
    assert pace(30.0, 32, 365, 12_345) == "412 records/s, about 5 minutes left"
    assert pace(30.0, 0, 365, 0) == ""
    assert pace(30.0, 365, 365, 300) == "10 records/s"
    lengths = (0.2, 59, 60, 5_400, 86_399, 100_000)
    assert [duration(one) for one in lengths] == [
        "1 second",
        "59 seconds",
        "1 minute",
        "1 hour and 30 minutes",
        "1 day",
        "1 day and 4 hours",
    ]


@pytest.mark.parametrize(
    ("limit", "used", "requests", "days"),
    [(0, 0, 99, 1), (10, 0, 0, 0), (10, 4, 6, 1), (10, 4, 7, 2), (10, 40, 21, 4)],
)
def test_a_quota_spreads_requests_over_days(
    limit: int, used: int, requests: int, days: int
) -> None:
    assert days_needed(limit, used, requests) == days
