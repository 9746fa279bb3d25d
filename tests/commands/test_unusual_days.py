"""Which days are told of as unusual: cases of calls and costs by day, in a file."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from pipelines.warehouse.published_queries import queries_with

TODAY = date(2026, 6, 30)
"""A Tuesday, and the last of its month."""
WEEKS = 13
TABLES = """
create schema ops;
create table ops.build_info (reporting_time_zone varchar);
create table main.dim_dates (date date);
create table ops.coverage_days
    (vendor varchar, account varchar, day date, state varchar);
create table main.daily_calls
    (vendor varchar, account varchar, call_date date, calls bigint);
create table main.daily_costs (
    vendor varchar, account varchar, call_date date, currency varchar,
    component varchar, amount decimal(18, 6)
);
"""


def unusual(
    folder: Path,
    calls: Mapping[date, int],
    *,
    zone: str = "UTC",
    incomplete: tuple[date, ...] = (),
    cost: float = 0.0,
    factor: float = 5,
) -> list[tuple[str, date, float, float]]:
    """Return kind, date, amount and median of what is told, for calls by day."""
    file = folder / "calls.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(TABLES)
        connection.execute("insert into ops.build_info values ($1)", [zone])
        own = {"vendor": "zoom", "account": "main"}
        states = [
            {**own, "day": day, "state": "partial" if day in incomplete else "complete"}
            for day in [*calls, max(calls) + timedelta(days=1)]
        ]
        counts = [
            {**own, "call_date": day, "calls": count}
            for day, count in calls.items()
            if count
        ]
        spent = [
            {
                **own,
                "call_date": day,
                "currency": "USD",
                "component": "usage",
                "amount": cost if day == max(calls) else 10.0,
            }
            for day in calls
            if cost
        ]
        for table, rows in {
            "dim_dates": [{"date": day} for day in calls],
            "ops.coverage_days": states,
            "daily_calls": counts,
            "daily_costs": spent,
        }.items():
            if rows:
                connection.from_arrow(pa.Table.from_pylist(rows)).insert_into(table)
    with queries_with(file, {"factor": factor}) as ask:
        return [
            (row["kind"], row["date"], row["amount"], row["usual"])
            for row in ask("unusual_days")
        ]


def weeks(count: int, weekday: int, weekend: int, last: int) -> dict[date, int]:
    """Return so many weeks of calls with a little noise, and ``last`` for today."""
    days = [TODAY - timedelta(days=back) for back in range(count * 7 + 1)]
    calls = {
        day: (weekday if day.isoweekday() <= 5 else weekend) + day.day % 5
        for day in days
    }
    return {**calls, TODAY: last}


@pytest.mark.parametrize(
    ("last", "is_told"),
    [(400, False), (420, False), (1000, True), (90, True), (0, True), (300, False)],
)
def test_a_day_is_told_of_if_it_is_far_from_its_weekday(
    tmp_path: Path, last: int, *, is_told: bool
) -> None:
    found = unusual(tmp_path, weeks(8, 400, 30, last))
    assert [one[:3] for one in found] == [("volume", TODAY, last)] * is_told


def test_a_quiet_weekend_is_usual_and_a_busy_one_is_not(tmp_path: Path) -> None:
    calls = weeks(8, 400, 30, 400)
    sunday = {day: n for day, n in calls.items() if day <= TODAY - timedelta(days=2)}
    (tmp_path / "quiet").mkdir()
    assert unusual(tmp_path / "quiet", sunday) == []
    busy = {**sunday, max(sunday): 400}
    assert [kind for kind, *_ in unusual(tmp_path, busy)] == ["volume"]


def test_four_weeks_are_needed(tmp_path: Path) -> None:
    for count in (3, 4):
        folder = tmp_path / str(count)
        folder.mkdir()
        assert len(unusual(folder, weeks(count, 400, 30, 2000))) == (count == 4)


def test_what_each_last_of_the_month_has_is_usual(tmp_path: Path) -> None:
    calls = weeks(WEEKS, 400, 30, 1000)
    assert len(unusual(tmp_path, calls)) == 1
    (tmp_path / "monthly").mkdir()
    calls |= {date(2026, 4, 30): 1100, date(2026, 5, 31): 950}
    assert unusual(tmp_path / "monthly", calls) == []


def test_a_day_that_is_not_all_there_is_not_judged(tmp_path: Path) -> None:
    calls = weeks(8, 400, 30, 5)
    assert unusual(tmp_path, calls, incomplete=(TODAY,)) == []
    # In another zone a date touches the next UTC day, or the one before.
    for number, (zone, day) in enumerate(
        [
            ("America/New_York", TODAY + timedelta(days=1)),
            ("Asia/Tokyo", TODAY - timedelta(days=1)),
        ]
    ):
        (tmp_path / str(number)).mkdir()
        found = unusual(tmp_path / str(number), calls, zone=zone, incomplete=(day,))
        assert TODAY not in [one[1] for one in found], zone


@pytest.mark.parametrize(("cost", "is_told"), [(11, False), (40, True), (0.5, False)])
def test_a_high_cost_is_told_of_and_a_low_one_may_still_come(
    tmp_path: Path, cost: float, *, is_told: bool
) -> None:
    found = unusual(tmp_path, weeks(8, 400, 30, 400), cost=cost)
    assert [one[0] for one in found] == ["cost"] * is_told


def test_the_factor_says_how_far_is_far(tmp_path: Path) -> None:
    calls = weeks(8, 400, 30, 700)
    for factor, count in ((5, 1), (20, 0)):
        folder = tmp_path / str(factor)
        folder.mkdir()
        assert len(unusual(folder, calls, factor=factor)) == count
