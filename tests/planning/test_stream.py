"""What a stream says of its windows: the defaults, and what a read can prove."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Window, read_time

NOW = read_time("2026-03-10T03:00:00Z")
CALLS = Stream("calls", "calls", "id", "at")


def test_a_stream_of_which_nothing_is_said_promises_little() -> None:
    assert (CALLS.lookback, CALLS.min_lookback) == (timedelta(days=3), timedelta())
    assert CALLS.availability_delay == timedelta(minutes=5)
    assert CALLS.total_is_exact
    assert CALLS.has_unstable_pages
    said = (CALLS.whole_months, CALLS.is_full_refresh, CALLS.is_optional)
    assert said == (False, False, False)
    assert (CALLS.ids_per_request, CALLS.is_erased_by_blanking) == (0, False)


@pytest.mark.parametrize(
    ("configured", "days"), [(None, 3), (0, 2), (1, 2), (2, 2), (4, 4)]
)
def test_a_setting_asks_for_no_less_than_the_vendors_rules_do(
    configured: int | None, days: int
) -> None:
    stream = replace(CALLS, min_lookback=2 * DAY)
    asked = None if configured is None else configured * DAY
    assert stream.lookback_or(asked) == days * DAY


def test_a_window_lists_all_until_the_vendor_forgets() -> None:
    stream = replace(CALLS, complete_for=2 * DAY)
    last = Window(NOW - 3 * DAY, NOW - 2 * DAY, "calls")
    assert stream.lists_all(last, NOW)
    assert not stream.lists_all(last, NOW + timedelta.resolution)
    assert not stream.lists_all(replace(last, ids=("c1",)), NOW)
    # A list by the time of a change lacks what did not change.
    assert not replace(stream, filter_field="changed").lists_all(last, NOW)
    assert replace(stream, filter_field="at").lists_all(last, NOW)
    assert not replace(stream, is_full_refresh=True).lists_all(last, NOW)


@pytest.mark.parametrize(
    ("complete_for", "filter_field", "is_full_refresh", "proves"),
    [
        (timedelta.max, "", False, True),
        (timedelta.resolution, "at", False, True),
        (timedelta(), "", False, False),
        (DAY, "changed", False, False),
        (DAY, "", True, False),
    ],
)
def test_absence_is_proven_by_lists_that_are_complete_for_some_time(
    complete_for: timedelta, filter_field: str, *, is_full_refresh: bool, proves: bool
) -> None:
    stream = replace(
        CALLS,
        complete_for=complete_for,
        filter_field=filter_field,
        is_full_refresh=is_full_refresh,
    )
    assert stream.proves_absence is proves
