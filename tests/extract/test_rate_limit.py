"""How far the clocks of a run and of its vendor may be apart: the rule alone."""

from datetime import datetime, timedelta

import pytest

from pipelines.extract.rate_limit import VendorRun
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
