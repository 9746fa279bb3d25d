"""Which days are all there and how late calls change, from ledgers written by hand."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import pytest
from conftest import House, callhouse, open_house
from raw_files import LEDGER, RECORDS, RawFiles
from sandbox_control import stamp

from pipelines.cli.calendar_view import calendar_lines
from pipelines.planning.windows import DAY, covers, read_time
from pipelines.sources import settings_of
from pipelines.warehouse.journal import LoadResult, write_runs

NOW = datetime(2026, 4, 1, 10, tzinfo=UTC)
TODAY = "04-01 09:55"
LETTERS = {"missing": "M", "partial": "P", "unreachable": "U", "in_future": "F"}


@dataclass(frozen=True)
class Reading:
    """A row of a ledger; times are of 2026, as in ``03-28`` and ``03-28 12:00``."""

    start: str
    end: str
    state: str = "complete"
    rows: int = 7
    at: str = TODAY
    stream: str = "calls"
    purpose: str = "nightly"


R = Reading
Strip: TypeAlias = tuple[str, Sequence[Reading]]
"""A letter a day, from the first asked for to today; and what was read."""
WHIPPY: Mapping[str, Strip] = {
    "month_end_and_summer_time": (
        "CCCCP",
        [
            R("03-28", "03-29"),
            R("03-29", "03-30"),
            R("03-30", "03-31"),
            R("03-31", "04-01"),
            R("04-01", TODAY),
        ],
    ),
    "overlapping_parts": (
        "CF",
        [
            R("03-31 10:00", "03-31 20:00"),
            R("03-31", "03-31 12:00"),
            R("03-31 20:00", "04-01"),
        ],
    ),
    "short_part_in_a_long_one": (
        "CF",
        [
            R("03-31", "03-31 20:00"),
            R("03-31 02:00", "03-31 03:00"),
            R("03-31 19:00", "04-01"),
        ],
    ),
    "second_half_again": (
        "CF",
        [R("03-31", "04-01", at="04-01 03:00"), R("03-31 12:00", "04-01", rows=5)],
    ),
    "hole_of_a_minute": (
        "PF",
        [R("03-31", "03-31 12:00"), R("03-31 12:01", "04-01")],
    ),
    "one_half_twice": (
        "PF",
        [R("03-31", "03-31 12:00"), R("03-31", "03-31 12:00", at="04-01 09:00")],
    ),
    "window_of_two_days": ("CCF", [R("03-30", "04-01")]),
    "failed_then_complete": (
        "CF",
        [R("03-31", "04-01", "failed", at="04-01 03:00"), R("03-31", "04-01")],
    ),
    "complete_then_failed": (
        "CF",
        [R("03-31", "04-01", at="04-01 03:00"), R("03-31", "04-01", "failed", 0)],
    ),
    "complete_then_partial": (
        "CF",
        [R("03-31", "04-01", at="04-01 03:00"), R("03-31", "04-01", "partial", 2)],
    ),
    "only_failed": ("MF", [R("03-31", "04-01", "failed", 0)]),
    "only_pages": ("MF", [R("03-31", "04-01", "partial", 2)]),
    "only_asked_by_id": (
        "MF",
        [
            R("03-31", "04-01", "failed", 0, at="04-01 03:00"),
            R("03-31", "04-01", purpose="settle"),
        ],
    ),
    "unreachable": ("UF", [R("03-31", "04-01", "unreachable", 0)]),
    "half_unreachable": (
        "UF",
        [R("03-31", "03-31 12:00", "unreachable", 0), R("03-31 12:00", "04-01")],
    ),
    "half_unreachable_half_missing": (
        "MF",
        [R("03-31", "03-31 12:00", "unreachable", 0)],
    ),
    "a_third_of_each": (
        "PF",
        [
            R("03-31", "03-31 08:00", "unreachable", 0),
            R("03-31 08:00", "03-31 16:00"),
        ],
    ),
    "no_longer_reachable": (
        "CF",
        [R("03-31", "04-01", at="04-01 03:00"), R("03-31", "04-01", "unreachable", 0)],
    ),
    "empty_and_not_loaded": (
        "EMECF",
        [
            R("03-28", "03-29", rows=0),
            R("03-30", "03-31", rows=0),
            R("03-31", "04-01"),
        ],
    ),
    "backfilled_old_day": (
        "CMMMCF",
        [
            R("03-31", "04-01", at="04-01 03:00"),
            R("03-27", "03-28", purpose="backfill"),
        ],
    ),
    "only_backfilled": ("CMMMMF", [R("03-27", "03-28", purpose="backfill")]),
    "today_failed": ("F", [R("04-01", TODAY, "failed", 0)]),
    "today_grew": (
        "CP",
        [
            R("03-31", "03-31 02:55", rows=3, at="03-31 03:00"),
            R("03-31", "04-01", rows=9, at="04-01 03:00"),
            R("03-31", "04-01", rows=8),
            R("04-01", "04-01 02:55", rows=2, at="04-01 03:00"),
            R("04-01", TODAY, rows=4),
        ],
    ),
    # Lookback: 3 days after the window's end, not the day's.
    "settled_by_the_lookback": (
        "CCCMMMMMF",
        [
            R("03-24", "03-25", at="03-28"),
            R("03-24", "03-25", at="03-28 06:00"),
            R("03-25", "03-26", at="03-28 23:59"),
            R("03-26", "03-26 12:00", at="03-29 12:00"),
            R("03-26 12:00", "03-27", at="03-30"),
        ],
    ),
    "no_longer_configured": ("CMC", [R("03-26", "03-27"), R("03-28", "03-29")]),
}


def of(stream: str, *days: int, state: str = "complete", rows: int = 7) -> list[R]:
    """Return readings of whole days of March."""
    ends = [f"03-{day + 1:02d}" if day < 31 else "04-01" for day in days]
    return [
        R(f"03-{day:02d}", end, state, rows, stream=stream)
        for day, end in zip(days, ends, strict=True)
    ]


TWIN: Mapping[str, Strip] = {
    "worst_of_three": (
        "CMMPF",
        [
            *of("created_calls", 28, 29, 30, rows=5),
            *of("updated_calls", 28, 30, 31, rows=40),
            *of("billed_calls", 28, 29, 31),
            *of("billed_calls", 30, state="failed", rows=0),
            R("03-31", "03-31 06:00", stream="created_calls"),
        ],
    )
}
EVOVOICE: Mapping[str, Strip] = {
    # Archived sessions are listed 13 days later: until 03-19 10:00 by now.
    "archived_later": (
        "MCCC" + "M" * 10 + "CF",
        [
            *of("sessions", 17, 18, 19, 20, 31),
            *of("archived_sessions", 18, rows=9),
            R("03-19", "03-19 10:00", stream="archived_sessions"),
        ],
    )
}
ZOOM: Mapping[str, Strip] = {
    "without_the_optional": (
        "CF",
        [
            *of("voice_calls", 31),
            *of("engagements", 30, 31, state="unreachable", rows=0),
        ],
    )
}
LEDGERS = {"whippy": WHIPPY, "twin": TWIN, "evovoice": EVOVOICE, "zoom": ZOOM}
CASES = [
    pytest.param(vendor, account, strip, id=f"{vendor}-{account}")
    for vendor, cases in LEDGERS.items()
    for account, (strip, _) in cases.items()
]


def moment(text: str) -> datetime:
    day, _, hour = text.partition(" ")
    return read_time(f"2026-{day}T{hour or '00:00'}:00Z")


class Warehouse(RawFiles):
    """A warehouse of ledgers, without any vendor."""

    def __init__(self, root: Path) -> None:
        super().__init__(root / "warehouse", {}, time_zone="Europe/Berlin", now=NOW)
        self.root = root

    def configure(self, vendor: str, *aliases: str, **settings: int) -> None:
        fields = msgspec.structs.fields(settings_of(vendor))
        needed = {one.name: "any" for one in fields if one.required}
        self.settings[vendor] = settings_of(vendor)(**needed, **settings)
        self.accounts = {**self.accounts, vendor: aliases}

    def read(self, vendor: str, *accounts: tuple[str, Sequence[Reading]]) -> None:
        """Write what was read of some accounts."""
        rows = [
            (
                *(account, one.stream, moment(one.start), moment(one.end)),
                *(one.purpose, one.state, one.rows, 0, 10, moment(one.at)),
                "HTTP 500" if one.state == "failed" else None,
                None,
                moment(one.at),
            )
            for account, readings in accounts
            for one in readings
        ]
        self.write(vendor, "load_windows", LEDGER, rows)

    def hold(self, account: str, end: str, **versions: str) -> None:
        """Hold the versions of a TWIN call that ended; a billed one is final."""
        ended = moment(end)
        rows = []
        for state, fetched in versions.items():
            call = {"callId": end, "status": "ANSWERED", "totalCost": 1}
            call |= {"startedAt": stamp(ended - DAY / 24), "finishedAt": stamp(ended)}
            call |= {"updatedAt": stamp(moment(fetched))}
            call |= {"billedAt": stamp(moment(fetched))} if state == "billed" else {}
            at = ended - DAY / 24
            rows.append((account, end, at, at, moment(fetched), json.dumps(call)))
        self.write("twin", "calls", RECORDS, rows)

    def strip(self, vendor: str, account: str) -> str:
        rows = self.query(
            "select state, records from ops.coverage_days where "
            f"(vendor, account) = ('{vendor}', '{account}') order by day"
        )
        return "".join(
            LETTERS.get(state, "E" if records == 0 else "C") for state, records in rows
        )

    def records(self, vendor: str, account: str) -> list[int | None]:
        rows = self.query(
            "select records from ops.coverage_days where "
            f"(vendor, account) = ('{vendor}', '{account}') order by day"
        )
        return [records for (records,) in rows]

    def status(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return callhouse(self.root, {}, "status", "--now", stamp(NOW), *arguments)


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    made = Warehouse(tmp_path_factory.mktemp("ledgers"))
    for vendor, cases in LEDGERS.items():
        made.configure(vendor, *(a for a in cases if a != "no_longer_configured"))
        made.read(vendor, *((alias, list(case[1])) for alias, case in cases.items()))
    made.build()
    return made


@pytest.mark.parametrize(("vendor", "account", "strip"), CASES)
def test_a_day_is_what_its_readings_cover(
    ledgers: Warehouse, vendor: str, account: str, strip: str
) -> None:
    assert ledgers.strip(vendor, account) == strip


def test_any_three_readings_cover_what_interval_arithmetic_says(
    tmp_path: Path,
) -> None:
    times = ("03-31", "03-31 08:00", "03-31 16:00", "04-01")
    kinds = [
        R(start, end, state, at=at)
        for start, end in combinations(times, 2)
        for state, at in (("complete", TODAY), ("unreachable", "04-01 03:00"))
    ]
    chosen = [three for count in (1, 2, 3) for three in combinations(kinds, count)]
    every = Warehouse(tmp_path)
    every.configure("whippy", *(f"a{number}" for number in range(len(chosen))))
    named = ((f"a{number}", readings) for number, readings in enumerate(chosen))
    every.read("whippy", *named)
    every.build()
    rows = every.query(
        "select account, state from ops.coverage_days where day = date '2026-03-31'"
    )
    assert dict(rows) == {
        f"a{number}": judged(readings) for number, readings in enumerate(chosen)
    }


def judged(readings: Sequence[Reading]) -> str:
    """Judge the last of March by the arithmetic that plans it."""
    day = (moment("03-31"), moment("04-01"))
    reached = [(moment(one.start), moment(one.end)) for one in readings]
    complete = [
        interval
        for interval, one in zip(reached, readings, strict=True)
        if one.state == "complete"
    ]
    if covers(complete, day):
        return "complete"
    if covers(reached, day):
        return "unreachable"
    return "partial" if complete else "missing"


def test_a_day_has_the_records_of_its_widest_windows_last_complete_reading(
    ledgers: Warehouse,
) -> None:
    assert ledgers.records("whippy", "today_grew") == [8, 4]
    assert ledgers.records("whippy", "complete_then_failed") == [7, None]
    assert ledgers.records("whippy", "short_part_in_a_long_one") == [14, None]
    assert ledgers.records("whippy", "second_half_again") == [7, None]
    assert ledgers.records("whippy", "window_of_two_days") == [None, None, None]


def test_records_are_counted_by_their_own_time_and_once(ledgers: Warehouse) -> None:
    assert ledgers.records("twin", "worst_of_three") == [5, 5, 5, 7, None]
    assert ledgers.records("evovoice", "archived_later")[:3] == [7, 9, 7]


def test_a_day_is_settled_when_all_of_it_was_read_a_lookback_after_its_end(
    ledgers: Warehouse,
) -> None:
    rows = ledgers.query(
        "select day, is_settled, last_read_at from ops.coverage_days "
        "where account = 'settled_by_the_lookback' and last_read_at is not null "
        "order by day"
    )
    assert rows == [
        (date(2026, 3, 24), True, moment("03-28 06:00")),
        (date(2026, 3, 25), False, moment("03-28 23:59")),
        (date(2026, 3, 26), True, moment("03-30")),
    ]


def test_reconciliation_judges_each_window_by_its_last_reading(
    ledgers: Warehouse,
) -> None:
    rows = ledgers.query(
        "select account, verdict from ops.reconciliation where account in "
        "('complete_then_failed', 'failed_then_complete', 'only_asked_by_id', "
        "'unreachable', 'today_grew') order by all"
    )
    assert rows == [
        ("complete_then_failed", "not_read"),
        ("failed_then_complete", "no_total"),
        ("only_asked_by_id", "not_read"),
        ("today_grew", "no_total"),
        ("today_grew", "no_total"),
    ]


def told(done: subprocess.CompletedProcess[str]) -> dict[tuple[str, str], Any]:
    accounts = json.loads(done.stdout)["accounts"]
    return {(one["vendor"], one["account"]): one for one in accounts}


def test_status_tells_a_machine_every_day_and_what_is_open(ledgers: Warehouse) -> None:
    done = ledgers.status("--json")
    assert done.returncode == 1, "some windows are open"
    assert json.loads(done.stdout)["windows_open"] == 7
    accounts = told(done)
    one = accounts["whippy", "empty_and_not_loaded"]
    assert (one["days_missing"], one["days_partial"]) == (1, 0)
    assert one["newest_settled_day"] == "2026-03-28"
    assert one["days"][0] == {"day": "2026-03-28", "state": "complete", "records": 0}
    assert one["days"][1] == {"day": "2026-03-29", "state": "missing", "records": None}
    assert (one["requests_today"], one["requests_left"]) == (30, None)
    (stream,) = accounts["whippy", "only_backfilled"]["streams"]
    assert stream["stored_until"] == "2026-03-28T00:00:00Z"
    assert stream["last_read_at"] is None, "a backfill makes nothing look fresh"
    zoom = accounts["zoom", "without_the_optional"]
    assert (zoom["daily_requests"], zoom["requests_left"]) == (15_000, 14_970)


def test_status_shows_an_operator_the_calendar_the_gaps_and_the_errors(
    ledgers: Warehouse,
) -> None:
    shown = ledgers.status("-v").stdout
    name = "whippy empty_and_not_loaded"
    line = next(one for one in shown.splitlines() if one.startswith(name))
    assert line.rstrip().endswith(" ▁!▁█·")
    assert "backfilled_old_day lacks 2026-03-28..2026-03-30 (missing)" in shown
    assert "whippy only_failed calls HTTP 500" in shown
    assert "14,970 of 15,000" in shown


def test_days_since_the_last_build_are_missing(ledgers: Warehouse) -> None:
    later = ledgers.status("--json", "--now", stamp(NOW + 2 * DAY))
    states = [
        one["state"]
        for one in told(later)["whippy", "month_end_and_summer_time"]["days"]
    ]
    assert states == [*["complete"] * 4, "partial", "missing", "in_future"]
    shown = ledgers.status("--now", stamp(NOW + 2 * DAY)).stdout
    assert "The tables are stale: the last build is 2 days old" in shown.splitlines()[0]


def test_the_first_line_is_the_verdict(tmp_path: Path, ledgers: Warehouse) -> None:
    first, *_ = ledgers.status().stdout.splitlines()
    assert re.match(
        r"16 of 27 accounts lack days or windows since 2026-03-17: evovoice "
        r"archived_later, twin worst_of_three, .* and 11 more\. Run: callhouse run",
        first,
    )
    good = Warehouse(tmp_path)
    good.configure("zoom", "main")
    good.read("zoom", ("main", of("voice_calls", 29, 30, 31)))
    good.build()
    later = stamp(NOW + DAY)  # nothing is due that was not over at the build
    for words, verdict, code in (
        ((), "All in, 1 second old.", 0),
        (("--now", later), "All in, 1 day old.", 0),
        (("--now", later, "--max-age", "23h"), "The tables are stale: ", 1),
    ):
        done = good.status(*words)
        assert (done.returncode, done.stdout.startswith(verdict)) == (code, True)
        assert len(done.stdout.splitlines()) == 1 + code, "details are for -v"
    shown = good.status("--now", later, "-v").stdout.splitlines()
    line = next(one for one in shown if one.startswith("zoom main"))
    assert line.rstrip().endswith(" ███··"), "no day is red before it is due"


def test_a_build_that_failed_since_is_told(tmp_path: Path) -> None:
    last = Warehouse(tmp_path)
    last.configure("zoom", "main")
    last.read("zoom", ("main", of("voice_calls", 30, 31)))
    last.build()
    assert json.loads(last.status("--json").stdout)["build_error"] is None
    night = datetime(2026, 4, 2, 3, tzinfo=UTC)
    failed = LoadResult("", errors=("CheckFailed: 2 rows",))
    write_runs(last.config.warehouse, night, "build", [failed], has_failed=True)
    shown = last.status("--now", stamp(NOW + DAY))
    assert shown.stdout.startswith("The last build failed: CheckFailed: 2 rows. Run: ")
    assert shown.returncode == 1, "analysts read old tables"


def test_a_strip_fits_the_width_and_keeps_the_newest_days() -> None:
    days = [
        {"day": NOW.date() - timedelta(days=back), "state": "complete", "records": 1}
        for back in reversed(range(100))
    ]
    days[-1]["state"] = "in_future"
    axis, line, *_ = (
        one.plain for one in calendar_lines({"acme main": days}, NOW.date(), 40)
    )
    assert line == "acme main  " + "█" * 28 + "·"
    assert axis == "           Mar 4  11        21         Apr"


def test_lag_is_how_long_after_its_end_a_watched_call_changed(tmp_path: Path) -> None:
    lag = Warehouse(tmp_path)
    lag.configure("twin", "main", "quiet")
    lag.read("twin", ("main", of("created_calls", 10)))
    lag.hold("main", "03-10 10:00", billed="03-10 12:00")
    lag.hold("main", "03-10 10:30", billed="03-10 12:30")
    lag.hold("main", "03-10 11:00", created="03-10 12:00", billed="03-11 13:00")
    lag.hold("main", "03-10 12:00", created="03-11 12:00", billed="03-15 13:00")
    # First seen too late, not settled for want of a price, and not settled by age.
    lag.hold("main", "02-10 10:00", created="03-10 12:00", billed="03-12 12:00")
    lag.hold("main", "03-27 10:00", created="03-27 12:00", changed="03-28 12:00")
    lag.hold("main", "03-30 10:00", created="03-30 12:00", billed="03-31 12:00")
    lag.build()
    assert lag.query("select * from ops.settlement_lag order by account") == [
        (
            *("twin", "main", 4, 2),
            *map(Decimal, ("0.000", "121.000", "121.000", "121.000", "1.000")),
            6,
        ),
        ("twin", "quiet", 0, 0, None, None, None, None, Decimal("1.000"), None),
    ]
    ages = [
        told(lag.status("--json"))["twin", "main"][f"pending_{age}"]
        for age in ("under_1_day", "1_to_7_days", "7_to_30_days", "over_30_days")
    ]
    assert ages == [0, 1, 0, 0]


@pytest.mark.soak
def test_coverage_built_night_by_night_is_that_of_a_build_from_nothing(
    tmp_path: Path,
) -> None:
    nightly = Warehouse(tmp_path)
    nightly.configure("twin", "main")
    first, *others = (
        *of("created_calls", 29, 30),
        *of("updated_calls", 29, 30, 31),
        *of("billed_calls", 30),
    )
    nightly.read("twin", ("main", [first]))
    nightly.hold("main", "03-10 10:00", created="03-10 12:00")
    nightly.build()
    nightly.read("twin", ("main", others))
    nightly.hold("main", "03-11 10:00", billed="03-11 12:00")
    nightly.build()
    tables = ("ops.coverage_days", "ops.coverage_streams", "ops.settlement_lag")
    before = [nightly.query(f"from {table} order by all") for table in tables]
    nightly.build(full=True)
    after = [nightly.query(f"from {table} order by all") for table in tables]
    assert after == before
    assert nightly.strip("twin", "main") == "MCMF"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("outage"), NOW, days=2, volume=20) as house:
        yield house


@pytest.mark.soak
def test_missed_nights_are_missing_days_until_the_next_run(house: House) -> None:
    later = NOW + 3 * DAY

    def states() -> list[str]:
        done = house.run("status", "--json", "--now", stamp(later))
        return [one["state"] for one in told(done)["zoom", "main"]["days"]]

    only = ("--vendor", "zoom")
    assert house.night(NOW, *only).returncode == 0
    held = ["complete", "complete", "partial"]
    assert states() == [*held, "missing", "missing", "in_future"]
    assert house.run("transform", "--now", stamp(later)).returncode == 0
    built = "select state from ops.coverage_days where vendor = 'zoom' order by day"
    found = [state for (state,) in house.query(built)]
    assert found == [*held, "missing", "missing", "in_future"]
    assert house.night(later, *only).returncode == 0
    assert states() == [*["complete"] * 5, "partial"]
