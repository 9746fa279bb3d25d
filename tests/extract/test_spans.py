"""A span that is too large for one list is read in halves, or is an error."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from pipelines.extract.errors import ResultTooLargeError
from pipelines.extract.pagination import Page
from pipelines.extract.spans import ROUND, in_halves

START = datetime(2026, 3, 1, tzinfo=UTC)


def a_round_number(_: datetime, __: datetime) -> Iterator[Page]:
    yield Page([msgspec.Raw(b"{}")] * ROUND)


@pytest.mark.parametrize(
    ("seconds", "lists"),
    [(1, 1), (2, 3), (4, 7)],
)
def test_a_round_number_of_records_is_asked_for_in_halves(
    seconds: int, lists: int
) -> None:
    end = START + timedelta(seconds=seconds)
    found = list(in_halves(a_round_number, START, end, may_be_capped=True))
    assert len(found) == lists


def test_a_round_number_that_cannot_be_halved_is_an_error() -> None:
    """Nothing shows then that the list is whole."""
    end = START + timedelta(seconds=1.5)
    with pytest.raises(ResultTooLargeError, match=f"{ROUND} records may be cut short"):
        list(in_halves(a_round_number, START, end, may_be_capped=True))


def test_a_round_number_is_whole_where_lists_are_not_capped() -> None:
    end = START + timedelta(seconds=1.5)
    assert len(list(in_halves(a_round_number, START, end))) == 1
