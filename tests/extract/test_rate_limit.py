"""How far the clocks of a run and of its vendor may be apart: the rule alone."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from pipelines.extract import rate_limit
from pipelines.extract.rate_limit import QuotaUsedError, RateLimit, VendorRun
from pipelines.planning.windows import CLOCKS_APART, read_time

OURS = read_time("2026-03-02T03:00:00Z")
INSTANT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("theirs", "is_trouble", "is_trouble_as_of"),
    [
        (OURS, False, False),
        (OURS + CLOCKS_APART, False, False),
        (OURS - CLOCKS_APART, False, False),
        (OURS - CLOCKS_APART - INSTANT, True, True),
        # The vendor is ahead: a run as of a past time, which --now allows.
        (OURS + CLOCKS_APART + INSTANT, True, False),
    ],
    ids=["the same", "ahead", "behind", "too far behind", "too far ahead"],
)
def test_clocks_may_differ_by_so_much_and_no_more(
    theirs: datetime, *, is_trouble: bool, is_trouble_as_of: bool
) -> None:
    run, as_of = VendorRun(lambda: OURS), VendorRun(lambda: OURS, as_of=OURS)
    for one in (run, as_of):
        one.compare_clocks(theirs)
        assert one.behind == max(timedelta(), OURS - theirs)
    found = [one.clock_trouble is not None for one in (run, as_of)]
    assert found == [is_trouble, is_trouble_as_of]


def test_the_first_trouble_with_clocks_is_the_one_that_is_reported() -> None:
    run = VendorRun(lambda: OURS)
    for days in (2, 3, 0):
        run.compare_clocks(OURS - timedelta(days=days))
    assert "the vendor's 2026-02-28 03:00:00Z" in (run.clock_trouble or "")
    assert run.behind == timedelta(days=3)


@dataclass
class Time:
    """A clock that moves while somebody sleeps, and when it is told to."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    found = Time()
    monkeypatch.setattr(rate_limit, "time", found)
    return found


def test_requests_are_spaced_and_a_pause_is_not_made_up_for(time: Time) -> None:
    limit = RateLimit(4, daily_requests=0, requests_today=0)
    for _ in range(3):
        limit.take()
    assert (time.slept, time.now) == ([0.0, 0.25, 0.25], 100.5)
    time.now += 10
    for _ in range(2):
        limit.take()
    assert time.slept[3:] == [0.0, 0.25]
    time.now += 0.125
    limit.take()
    assert time.slept[5:] == [0.125]


@pytest.mark.parametrize(
    ("quota", "used", "left"), [(5, 2, 3), (5, 5, 0), (5, 9, 0), (1, 0, 1)]
)
def test_a_quota_is_used_to_its_last_request(
    time: Time, quota: int, used: int, left: int
) -> None:
    limit = RateLimit(1000, daily_requests=quota, requests_today=used)
    for _ in range(left):
        limit.take()
    for _ in range(2):
        with pytest.raises(QuotaUsedError):
            limit.take()
    assert len(time.slept) == left


def test_without_a_quota_none_is_used(time: Time) -> None:
    limit = RateLimit(1000, daily_requests=0, requests_today=7)
    for _ in range(9):
        limit.take()
    assert len(time.slept) == 9


def test_waits_at_the_same_time_count_once(time: Time) -> None:
    run = VendorRun()
    assert run.waited_seconds == 0.0
    for now, since, waited in (
        (100, 90, 10),
        (105, 95, 15),  # ten seconds, five of which have been counted
        (105, 80, 15),
        (120, 110, 25),  # from 105 to 110 nobody waited
        (121, 121, 25),
        (130, 135, 25),  # a clock that went back takes nothing away
    ):
        time.now = now
        run.add_waited(since)
        assert run.waited_seconds == waited


def test_a_warning_is_told_once() -> None:
    run = VendorRun()
    for sentence in ("slow", "late", "slow"):
        run.warn(sentence)
    assert run.warnings == ["slow", "late"]


def test_a_run_without_a_clock_of_its_own_compares_none() -> None:
    run = VendorRun(as_of=OURS)
    run.compare_clocks(OURS - timedelta(days=9))
    assert (run.behind, run.clock_trouble) == (timedelta(), None)
