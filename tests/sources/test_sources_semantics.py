"""What the sources of all vendors have in common, over real HTTP."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from conftest import VENDORS
from reading import (
    FIRST,
    NOW,
    days,
    ids_in,
    listed,
    listing,
    questions,
    read,
    scripted_environment,
)
from vendor_server import VendorServer

from pipelines.extract.errors import ResultTooLargeError
from pipelines.extract.pagination import Page
from pipelines.extract.spans import in_halves
from pipelines.planning.windows import DAY, read_time
from pipelines.sandbox.process import Sandbox


@pytest.mark.parametrize("vendor", VENDORS)
def test_windows_read_at_the_same_time_bring_what_they_bring_in_turn(
    sandbox: Sandbox, vendor: str
) -> None:
    asked = days(vendor, "2026-11-09", "2026-11-16")
    environment = dict(sandbox.environment)
    in_turn = read(environment, vendor, asked)
    at_once = read(environment, vendor, asked, concurrency=4)
    compared = ("stream", "window_start", "state", "rows_distinct", "requests")
    assert [[row[name] for name in compared] for row in at_once.ledger] == [
        [row[name] for name in compared] for row in in_turn.ledger
    ]
    assert sorted(row["payload"] for row in at_once.records) == sorted(
        row["payload"] for row in in_turn.records
    )


@pytest.mark.parametrize("vendor", VENDORS)
def test_days_read_one_by_one_miss_no_call_at_their_edges(
    sandbox: Sandbox, vendor: str
) -> None:
    ends = ("2026-11-02", "2026-11-17")
    reading = read(dict(sandbox.environment), vendor, days(vendor, *ends))
    since, until = (read_time(end, "UTC") for end in ends)
    assert ids_in(sandbox, vendor, since, until) - reading.ids == set()
    assert reading.states == {"complete"}
    midnights = [
        row for row in reading.records if row["event_at"].strftime("%H%M%S") == "000000"
    ]
    assert midnights, "no call of this history stands at an edge"


SECOND_BEFORE = "2026-02-28T23:59:59"
ASKED = {
    "zoom": f"""
        from={SECOND_BEFORE}+00:00 to=2026-03-02T00:00:00+00:00
        page_size=100 view_type=detail
    """,
    "voximplant": """
        from_date=2026-02-28_23:59:59 to_date=2026-03-02_00:00:00 timezone=Etc/GMT
        with_calls=true with_records=true with_other_resources=true
        count=1000 desc_order=false
    """,
    "evovoice": """
        AccountIds=a-1 StartDate=2026-03-01 EndDate=2026-03-01 CountPerPage=100
        SortField=DateCreated SortOrder=Ascend SearchArchive=false
    """,
    "twin": f"""
        from={SECOND_BEFORE}+00:00 to=2026-03-02T00:00:00+00:00
        limit=1000 sort=+startedAt dateField=createdAt
    """,
    "whippy": f"""
        limit=100 timeout=60000 "after":"{SECOND_BEFORE}.000000Z"
        "before":"2026-03-02T00:00:00.000000Z"
    """,
}
SPOILT = {
    "zoom": "T00:00:00Z",
    "voximplant": "user_id=",
    "evovoice": "&from= &to= All= SimplifiedPaging=",
    "twin": "page= format= zip=",
    "whippy": "min_duration max_duration",
}
"""What would spoil it: another zone, phone filters, a filter that hides calls."""


@pytest.mark.parametrize("vendor", ASKED)
def test_a_day_is_asked_for_in_the_words_of_the_document(
    scripted: VendorServer, vendor: str
) -> None:
    scripted.always = listed(vendor, [])
    environment = scripted_environment(scripted.url)
    reading = read(environment, vendor, days(vendor, *FIRST))
    assert reading.states == {"complete"}
    question = questions(scripted)[0].replace(": ", ":").replace(" ", "_")
    assert [part for part in ASKED[vendor].split() if part not in question] == []
    assert [part for part in SPOILT[vendor].split() if part in question] == []


def test_a_set_that_moved_while_it_was_paged_is_read_again(
    scripted: VendorServer,
) -> None:
    one, two, three = (
        {"id": f"w{number}", "created_at": "2026-03-01T10:00:00Z"}
        for number in (1, 2, 3)
    )
    scripted.answers = [
        listing("whippy", [one, two], total=3),
        listing("whippy", [two], total=3),  # a new call pushed this one back
        listing("whippy", [one, two, three]),
    ]
    environment = scripted_environment(scripted.url)
    reading = read(environment, "whippy", days("whippy", *FIRST))
    assert reading.ids == {"w1", "w2", "w3"}
    assert reading.states == {"complete"}


def test_a_question_without_an_answer_is_halved_down_to_a_shortest() -> None:
    asked: list[timedelta] = []

    def span(start: datetime, end: datetime) -> Iterator[Page]:
        asked.append(end - start)
        yield Page([], total=7)
        raise ResultTooLargeError("too long")

    with pytest.raises(ResultTooLargeError, match="too long, between 2026-11-17 03:"):
        list(in_halves(span, NOW, NOW + DAY, timedelta(hours=6)))
    assert asked == [DAY, DAY / 2, DAY / 4]
