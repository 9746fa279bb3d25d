"""A quota of requests a day: kept, said before and when it is reached, and resumed."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from conftest import House, open_house
from sandbox_control import stamp
from vendor_server import Answer, VendorServer

from pipelines.extract.client import Client
from pipelines.extract.errors import VendorError
from pipelines.extract.rate_limit import QuotaUsedError, RateLimit
from pipelines.planning.planner import PastRead
from pipelines.planning.request_budget import (
    days_needed,
    expected_requests,
    used_today,
    warning,
)
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Window, read_time

NOW = read_time("2026-11-17T03:00:00Z")
MIDNIGHT = read_time("2026-11-17T00:00:00Z")
CALLS = Stream("calls", "calls", "id", "at", ids_per_request=10)
QUOTA = 10


def read(
    started_at: datetime,
    requests: int,
    account: str = "main",
    stream: str = "calls",
    state: str = "complete",
) -> PastRead:
    day = (MIDNIGHT, MIDNIGHT + DAY)
    return PastRead(account, stream, day, "nightly", state, started_at, requests)


def test_requests_since_midnight_count_and_those_of_another_account_do_not() -> None:
    reads = [
        read(MIDNIGHT - timedelta(seconds=1), 100),
        read(MIDNIGHT, 3),
        read(NOW, 4),
        read(NOW, 50, "second"),
    ]
    assert used_today(reads, "main", NOW) == 7


def test_a_plan_is_expected_to_take_what_such_windows_took_before() -> None:
    windows = [Window(MIDNIGHT, MIDNIGHT + DAY, "calls") for _ in range(4)]
    assert expected_requests([CALLS], windows, []) == 4
    assert expected_requests([CALLS], windows, [read(NOW, 2), read(NOW, 3)]) == 10
    named = Window(MIDNIGHT, MIDNIGHT + DAY, "calls", ids=tuple(map(str, range(11))))
    assert expected_requests([CALLS], [named], [read(NOW, 20)]) == 2


def test_each_stream_is_expected_to_take_what_its_own_windows_took() -> None:
    other = replace(CALLS, name="other")
    windows = [Window(MIDNIGHT, MIDNIGHT + DAY, "calls") for _ in range(2)]
    windows += [Window(MIDNIGHT, MIDNIGHT + DAY, "other") for _ in range(3)]
    reads = [read(NOW, 10), read(NOW, 2, stream="other")]
    assert expected_requests([CALLS, other], windows, reads) == 2 * 10 + 3 * 2
    # A read that failed says nothing of how long one takes.
    failed = read(NOW, 90, stream="other", state="failed")
    assert expected_requests([CALLS, other], windows, [*reads, failed]) == 26
    # A stream that may not be read is asked for once, however many its windows.
    denied = read(NOW, 1, stream="other", state="unreachable")
    assert expected_requests([CALLS, other], windows, [reads[0], denied]) == 21


@pytest.mark.parametrize(
    ("limit", "used", "requests", "days"),
    [
        *[(10, 0, 0, 0), (10, 4, 6, 1), (10, 4, 7, 2), (10, 4, 16, 2), (10, 4, 17, 3)],
        *[(0, 0, 99, 1), (10, 40, 10, 2), (10, 40, 11, 3), (10, 4, 0, 0)],
    ],
)
def test_requests_beyond_what_is_left_take_further_days(
    limit: int, used: int, requests: int, days: int
) -> None:
    assert days_needed(limit, used, requests) == days


@pytest.mark.parametrize(
    ("limit", "used", "expected", "warned"),
    [(0, 9, 99, False), (10, 4, 6, False), (10, 4, 7, True), (10, 40, 1, True)],
)
def test_a_plan_that_needs_more_than_is_left_is_warned_of(
    limit: int, used: int, expected: int, *, warned: bool
) -> None:
    assert bool(warning(limit, used, expected)) == warned


def test_a_client_asks_no_more_than_the_quota_and_says_when_it_resets(
    scripted: VendorServer,
) -> None:
    scripted.answers = [Answer(status=500), Answer(), Answer()]
    client = Client(
        "zoom",
        scripted.url,
        requests_per_second=1000,
        daily_requests=12,
        requests_today=10,
    )
    client.ask("GET", "/", dict)
    with pytest.raises(
        VendorError, match=r"quota of 12 .* resets at 00:00 UTC"
    ) as error:
        client.ask("GET", "/", dict)
    assert error.value.stops_account
    assert len(scripted.got) == 2, "a retry counts as well"


def test_threads_share_one_pace_and_one_quota_and_count_for_themselves() -> None:
    limit = RateLimit(1000, daily_requests=30, requests_today=5)
    taken: list[int] = []

    def work() -> None:
        mine = 0
        try:
            for _ in range(30):
                limit.take()
                mine += 1
        except QuotaUsedError:
            taken.append(mine)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 25


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("quota")
    with open_house(folder, NOW, days=10, volume=10) as house:
        house.environment["CALLHOUSE__SOURCES__ZOOM__DAILY_REQUESTS"] = str(QUOTA)
        house.environment["CALLHOUSE__SOURCES__ZOOM__ENGAGEMENTS"] = "false"
        yield house


@pytest.mark.soak
def test_a_history_beyond_the_quota_loads_day_by_day(house: House) -> None:
    def night(
        now: datetime, command: str = "load"
    ) -> tuple[int, int, int, list[str], list[str], str]:
        house.post("clock", {"now": stamp(now)})
        done = house.run(command, "--now", stamp(now), "--vendor", "zoom", "--json")
        (told,) = json.loads(done.stdout)["loaded"]
        return (
            done.returncode,
            told["windows"],
            told["requests"],
            told["notes"],
            told["errors"],
            done.stderr,
        )

    code, windows, requests, notes, errors, said = night(NOW)
    assert (code, windows, requests) == (1, QUOTA, QUOTA)
    assert "needs about 11 requests, and 10 are left of the 10 a day" in notes[0]
    assert "zoom: this needs about" in said.partition("\nzoom: 10 of 11 windows")[0]
    assert "the quota of 10 requests a day" in errors[0]

    code, windows, requests, notes, errors, _ = night(NOW + timedelta(hours=1))
    assert (code, windows, requests) == (1, 0, 0)
    assert "0 are left" in notes[0]
    assert len(errors) == 1

    code, *_, notes, errors, _ = night(NOW + DAY, "run")
    assert (code, notes, errors) == (0, [], [])
    truth = house.truth("zoom", NOW - 10 * DAY, NOW + DAY - timedelta(minutes=5))
    assert house.query(
        f"select count(*) from fact_calls where started_at >= '{NOW - 10 * DAY}'"
    ) == [(len(truth),)]
