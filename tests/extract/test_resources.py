"""A window is complete when what came agrees with the vendor, and only then."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from pipelines.extract import window_reader as reading
from pipelines.extract.client import Client
from pipelines.extract.errors import VendorError
from pipelines.extract.pagination import Page
from pipelines.extract.resources import dlt_source, resources_of
from pipelines.extract.source import Endpoint, Source
from pipelines.extract.window_reader import Package, ReadOptions
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Window, day_windows, read_time

START = read_time("2026-03-01T00:00:00Z")
WINDOW = Window(START, START + DAY, "calls")
CALLS = Stream("calls", "calls", "id", "at", updated_at_field="changed")
BOUNDED = replace(CALLS, filter_field="filtered")


def call(number: int, **more: Any) -> msgspec.Raw:  # noqa: ANN401
    record = {"id": f"c{number}", "at": "2026-03-01T10:00:00Z", **more}
    return msgspec.Raw(msgspec.json.encode(record))


def page(total: int | None, *records: msgspec.Raw) -> Page:
    return Page(list(records), total)


def read(
    *readings: list[Page],
    go_on: bool = True,
    clock: datetime = START + 9 * DAY,
    stored: tuple[str, ...] = (),
    stream: Stream = CALLS,
) -> dict[str, list[dict[str, Any]]]:
    """Read one window whose vendor gives these readings in turn."""
    left = iter(readings)

    def fetch(_: Window) -> Iterator[Page]:
        yield from next(left)

    def known(*_: object) -> dict[str, datetime]:
        return dict.fromkeys(stored, START + DAY / 2)

    client = Client("acme", "http://127.0.0.1:9")
    resources = resources_of(
        "main",
        [WINDOW],
        Source(client, [Endpoint(stream, fetch)]),
        ReadOptions(lambda: clock, keep_going=go_on, stored=known),
    )
    left_copy = list(readings)
    found = {}
    for resource in resources:
        left = iter(left_copy)
        found[resource.name] = [row for table in resource for row in table.to_pylist()]
    return found


def test_a_record_is_landed_byte_for_byte() -> None:
    odd = msgspec.Raw(b'{"id": 7,  "at":"2026-03-01T10:00:00+01:00","x":1.10}')
    (row,) = read([page(1, odd)])["calls"]
    assert row["payload"] == '{"id": 7,  "at":"2026-03-01T10:00:00+01:00","x":1.10}'
    assert row["record_id"] == "7"
    assert row["event_at"] == read_time("2026-03-01T09:00:00Z")


def test_a_window_that_agrees_is_complete_at_once() -> None:
    found = read([page(2, call(1)), page(2, call(2))])
    (ledger,) = found["load_windows"]
    assert (ledger["state"], ledger["rows_distinct"], ledger["vendor_total"]) == (
        "complete",
        2,
        2,
    )


def test_a_window_without_end_is_left_open_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many pages or halves of a window its records come in."""
    monkeypatch.setattr(reading, "MOST_BYTES", 1 << 20)
    large = [page(None, call(n, text="x" * 100_000)) for n in range(20)]
    found = read(large)
    (ledger,) = found["load_windows"]
    assert (ledger["state"], found["calls"]) == ("failed", [])
    assert "250,000 records or 1 MiB" in ledger["error"]


def test_pages_before_a_start_over_count_for_nothing() -> None:
    first = page(2, call(1))
    again = replace(page(2, call(2)), starts_over=True)
    found = read([first, again, page(2, call(3))])
    (ledger,) = found["load_windows"]
    assert [row["record_id"] for row in found["calls"]] == ["c2", "c3"]
    assert (ledger["state"], ledger["rows_fetched"]) == ("complete", 2)


def test_an_empty_window_is_complete_and_counted() -> None:
    (ledger,) = read([page(0)])["load_windows"]
    assert (ledger["state"], ledger["rows_fetched"]) == ("complete", 0)


def test_a_set_that_moved_between_two_pages_is_read_again() -> None:
    moving = [page(3, call(1), call(2)), page(2, call(2))]
    still = [page(2, call(1)), page(2, call(3))]
    found = read(moving, still)
    assert [row["record_id"] for row in found["calls"]] == ["c1", "c3"]
    assert found["load_windows"][0]["state"] == "complete"


def test_a_total_that_moved_on_the_second_of_three_pages_is_read_again() -> None:
    moving = [page(3, call(1)), page(4, call(2), call(3)), page(4, call(4))]
    still = [page(4, call(1), call(2)), page(4, call(3)), page(4, call(5))]
    found = read(moving, still)
    assert [row["record_id"] for row in found["calls"]] == ["c1", "c2", "c3", "c5"]
    assert found["load_windows"][0]["state"] == "complete"


def test_fewer_than_promised_are_kept_but_leave_the_window_open() -> None:
    short = [page(3, call(1), call(2))]
    found = read(short, short, short)
    assert len(found["calls"]) == 2
    (ledger,) = found["load_windows"]
    assert ledger["state"] == "partial"
    assert "has 3 records by the vendor's count, but 2 came" in ledger["error"]


def test_a_young_window_of_several_pages_is_read_until_two_readings_agree() -> None:
    """Between the first two pages one call went and one came: the total is the same."""
    shifted = [page(4, call(1), call(2)), page(4, call(4), call(5))]
    whole = [page(4, call(2), call(3)), page(4, call(4), call(5))]
    young = START + 2 * DAY
    found = read(shifted, whole, whole, clock=young)
    assert [row["record_id"] for row in found["calls"]] == ["c2", "c3", "c4", "c5"]
    old = read(whole)
    assert [row["record_id"] for row in old["calls"]] == ["c2", "c3", "c4", "c5"]


def test_what_no_two_readings_agree_on_is_landed_all_together() -> None:
    readings = [[page(2, call(1)), page(2, call(n))] for n in (2, 3, 4)]
    found = read(*readings, clock=START + 2 * DAY)
    assert [row["record_id"] for row in found["calls"]] == ["c1", "c2", "c3", "c4"]
    (ledger,) = found["load_windows"]
    assert (ledger["state"], ledger["rows_distinct"]) == ("complete", 2)


def test_a_stored_record_that_does_not_come_is_counted_and_not_deleted() -> None:
    left = [page(1, call(1))]
    found = read(left, left, stored=("c1", "c2"))
    assert [row["record_id"] for row in found["calls"]] == ["c1"]
    (ledger,) = found["load_windows"]
    assert (ledger["state"], ledger["reason"]) == ("partial", "missing")
    assert (ledger["rows_vanished"], ledger["rows_known"]) == (1, 1)


def test_a_window_that_answers_nothing_deletes_nothing() -> None:
    found = read([page(0)], [page(0)], stored=("c1",))
    assert found["calls"] == []
    (ledger,) = found["load_windows"]
    assert (ledger["state"], ledger["reason"]) == ("partial", "missing")


def test_a_record_held_that_only_slipped_a_page_is_not_lost() -> None:
    found = read([page(1, call(1))], [page(2, call(1), call(2))], stored=("c1", "c2"))
    assert [row["record_id"] for row in found["calls"]] == ["c1", "c2"]
    assert found["load_windows"][0]["rows_vanished"] == 0


@pytest.mark.parametrize(
    "readings",
    [
        [[page(2, call(1))]] * 3,
        [[page(2, call(1), msgspec.Raw(b'{"at": "x"}'))]] * 3,
        [[page(1, call(n))] for n in (1, 3, 1)],
    ],
    ids=["short of the total", "one record unreadable", "never twice the same"],
)
def test_a_reading_that_cannot_be_relied_on_proves_no_record_gone(
    readings: list[list[Page]],
) -> None:
    (ledger,) = read(*readings, stored=("c1", "c2"))["load_windows"]
    assert ledger["reason"] in {"short", "unsteady"} or ledger["rows_quarantined"]


def test_more_than_promised_are_complete_once_two_readings_agree() -> None:
    more = [page(1, call(1), call(2))]
    (ledger,) = read(more, more)["load_windows"]
    assert (ledger["state"], ledger["rows_distinct"], ledger["vendor_total"]) == (
        "complete",
        2,
        1,
    )


ESTIMATED = replace(CALLS, total_is_exact=False)


def test_a_total_that_is_more_than_any_list_leaves_no_window_open() -> None:
    whole, halves = (
        [page(5, call(1), call(2))],
        [[page(3, call(1))], [page(3, call(2))]],
    )
    found = read(*[whole] * 3, *halves, stream=ESTIMATED)
    (ledger,) = found["load_windows"]
    assert (ledger["state"], ledger["reason"]) == ("complete", "vendor_counts_more")
    assert (ledger["vendor_total"], ledger["rows_distinct"]) == (5, 2)
    assert (ledger["rows_fetched"], ledger["error"]) == (2 + 2, None)


def test_parts_that_list_more_than_the_whole_are_read_until_they_do_not() -> None:
    whole = [page(9, call(1), call(2))]
    halves = [[page(5, call(1), call(3))], [page(5, call(2))]]
    quarters = [[page(2, call(n))] for n in (1, 3, 2, 4)]
    eighths = [[page(1, call(n))] for n in (1, 3, 2, 4, 1, 3, 2, 4)]
    found = read(*[whole] * 3, *halves, *quarters, *eighths, stream=ESTIMATED)
    assert {row["record_id"] for row in found["calls"]} == {"c1", "c2", "c3", "c4"}
    (ledger,) = found["load_windows"]
    assert (ledger["state"], ledger["reason"]) == ("complete", "vendor_counts_more")


def test_a_window_of_two_seconds_is_cut_into_no_smaller_parts_than_they() -> None:
    asked: list[int] = []

    def fetch(window: Window) -> Iterator[Page]:
        asked.append(int((window.end - window.start).total_seconds()))
        yield page(9, *(call(n) for n in range(min(len(asked) - 3, 4))))

    short = Window(START, START + timedelta(seconds=2), "calls")
    options = ReadOptions(lambda: START)
    records = reading.Reader(ESTIMATED, "main", fetch, options).read(short, START + DAY)
    assert asked == [2, 2, 2, 1, 1, 1, 1, 1, 1]
    assert (records.distinct, records.counts_more) == (4, True)


def test_an_exact_total_that_is_not_reached_leaves_the_window_open() -> None:
    (ledger,) = read(*[[page(5, call(1))]] * 3)["load_windows"]
    assert (ledger["state"], ledger["reason"]) == ("partial", "short")


NEXT_DAY = [call(n, at="2026-03-02T10:00:00Z") for n in range(6)]


@pytest.mark.parametrize(
    ("records", "is_answer"),
    [
        (NEXT_DAY, False),
        ([call(1, at="2026-03-04T10:00:00Z")], False),
        ([*NEXT_DAY[:5], *(call(n) for n in range(10, 16))], True),
        ([call(1, at="2026-03-02T03:00:00Z")], True),
        ([call(1, at="2026-02-28T23:59:59.5Z")], True),
        ([call(1, at="2026-03-02T14:00:00Z")], True),
        ([call(1, at="2026-03-02T14:00:00.000001Z")], False),
        (NEXT_DAY[:4], True),
        ([*NEXT_DAY, call(6, at="2026-03-02T00:00:01Z")], False),
        ([*NEXT_DAY, *(call(n) for n in range(10, 16))], True),
        ([call(n, at="2026-03-02T00:00:01Z") for n in range(6)], True),
    ],
    ids=[
        *("another day", "far away", "mostly inside", "another zone", "the edge"),
        *("the last zone", "beyond it", "a few", "nearly all", "half of them"),
        "a second late",
    ],
)
def test_records_that_lie_elsewhere_answer_another_question(
    records: list[msgspec.Raw],
    is_answer: bool,  # noqa: FBT001 - pytest's own parameter
) -> None:
    answer = [page(len(records), *records)]
    (ledger,) = read(*[answer] * 3)["load_windows"]
    assert (ledger["state"] == "complete") is is_answer
    if not is_answer:
        assert "another window" in ledger["error"]


def test_of_two_copies_the_newer_version_wins_whatever_their_order() -> None:
    old = call(1, changed="2026-03-01T11:00:00Z", n="old")
    new = call(1, changed="2026-03-01T12:00:00Z", n="new")
    for copies in ((old, new), (new, old)):
        (row,) = read([page(1, *copies)])["calls"]
        assert '"n":"new"' in row["payload"]


def test_of_two_copies_one_without_a_version_is_as_new_as_when_it_came() -> None:
    dated, undated = call(1, changed="2026-03-02T10:00:00Z"), call(1, changed=None)
    older = call(1, changed="2026-03-01T10:00:00Z")
    for copies, newest in (
        ((dated, undated), undated),
        ((undated, dated), dated),
        ((dated, undated, older), undated),
        ((dated, undated, dated), dated),
    ):
        (row,) = read([page(1, *copies)])["calls"]
        assert row["payload"] == bytes(newest).decode()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b'{"at":"2026-03-01T10:00:00Z"}', "'id' is missing"),
        (b'{"id":"","at":"2026-03-01T10:00:00Z"}', "'id' is missing or empty"),
        (b'{"id":1.5,"at":"2026-03-01T10:00:00Z"}', "ValidationError"),
        (b'{"id":"c1"}', "'at' is missing"),
        (b'{"id":"c1","at":"yesterday"}', "'at' is not a time"),
        (b'{"id":"c1","at":"2099-03-01T10:00:00Z"}', "not a time a call had"),
        (b'{"id":"c1","at":"1970-01-01T00:00:00Z"}', "not a time a call had"),
        (b'{"id":"c1","at":"2026-03-01T10:00:00Z","n":"\\ud800"}', "DecodeError"),
        (b'{"id":"c1","at":"2026-03-01T10:00:00Z","n":"\xff"}', "UnicodeDecodeError"),
        (b'["c1"]', "ValidationError"),
        (b"null", "ValidationError"),
    ],
)
def test_a_record_that_cannot_be_read_is_kept_aside_with_its_reason(
    record: bytes, reason: str
) -> None:
    found = read([page(2, msgspec.Raw(record), call(2))])
    assert [row["record_id"] for row in found["calls"]] == ["c2"]
    (aside,) = found["quarantine"]
    assert reason in aside["reason"]
    assert aside["payload"] == record.decode(errors="replace")
    assert found["load_windows"][0]["state"] == "complete"


def test_a_record_outside_of_its_window_means_that_the_filter_was_ignored() -> None:
    strange = call(1, filtered="2026-02-27T10:00:00Z")
    (ledger,) = read([page(1, strange)], stream=BOUNDED)["load_windows"]
    assert ledger["state"] == "failed"
    assert "check the name of the date-field parameter" in ledger["error"]


def test_records_without_the_time_that_was_asked_by_prove_no_filter() -> None:
    inside = call(1, filtered="2026-03-01T10:00:00Z")
    mixed = page(3, inside, call(2, filtered=None), call(3))
    for readings, state in (
        ([page(0)], "complete"),
        ([mixed], "complete"),
        ([page(2, call(1), call(2, filtered=None))], "failed"),
    ):
        (ledger,) = read(readings, stream=BOUNDED)["load_windows"]
        assert ledger["state"] == state
    assert "no record came with 'filtered'" in ledger["error"]


def test_without_a_ledger_to_write_it_down_a_failure_is_raised() -> None:
    with pytest.raises(Exception, match="by the vendor's count") as error:
        read(*[[page(3, call(1))]] * 3, go_on=False)
    assert isinstance(error.value.__cause__, VendorError)


@pytest.mark.parametrize("at_once", [1, 3])
def test_windows_larger_than_a_package_go_into_several(at_once: int) -> None:
    """Every record once, and in one package never two ledger rows of one window."""
    windows = day_windows("calls", "2026-03-01", "2026-03-04")

    def fetch(window: Window) -> Iterator[Page]:
        texts = (
            f'{{"id": "{window.start:%d}-{number}", "at": "{window.start:%FT%TZ}"}}'
            for number in range(7)
        )
        yield Page([msgspec.Raw(text.encode()) for text in texts], total=7)

    client = Client("acme", "http://127.0.0.1:9")
    source = Source(client, [Endpoint(CALLS, fetch)], at_once)
    begun: dict[str, list[Any]] = {}
    left, stored, packages = [*windows], [], 0
    while left:
        package = Package(most=100, begun=begun)
        options = ReadOptions(lambda: START + 9 * DAY, keep_going=True, package=package)
        ledger = []
        for table in dlt_source("main", left, source, options):
            rows = table.to_pylist()
            if "state" in table.column_names:
                ledger += rows
            elif "record_no" not in table.column_names:
                stored += [row["record_id"] for row in rows]
        starts = [row["window_start"] for row in ledger]
        assert len(starts) == len({*starts}), "a merge would store both"
        done = [row["window_start"] for row in ledger if row["state"] == "complete"]
        left = [window for window in left if window.start not in done]
        packages += 1
        assert packages < 50, "no package takes anything"
    assert packages > len(windows)
    assert not begun
    assert sorted(stored) == sorted({*stored})
    assert len(stored) == 7 * len(windows)
