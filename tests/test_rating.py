"""What rate cards make of calls: cases worked by hand, and nights in any order.

A case is a folder of tests/cases/rating: rate_cards.toml, loads.jsonl (records as the
vendor sends them, each with the night that brings it) and, for each table it is about,
a CSV file with the rows it expects there and the arithmetic above them. Each has an
account of its own, so that all of them are one warehouse.
"""

import csv
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rated import NOW, Rated, Record, whippy_call

from pipelines.rate_cards import RateCard, read_rate_cards
from pipelines.windows import read_time

HISTORIES = int(os.environ.get("CALLHOUSE_HISTORIES", "2"))
CASES = Path(__file__).parent / "cases/rating"
NAMES = sorted(path.name for path in CASES.iterdir())
EXPECTED = sorted(path.relative_to(CASES) for path in CASES.glob("*/*.csv"))
OF_ACCOUNT = {
    "fact_calls": "account = '{}'",
    "fact_call_costs": "split_part(call_key, ':', 2) = '{}'",
    "account_months": "account = '{}'",
}


def loads(case: str) -> Iterator[tuple[int, str, str, Record]]:
    """Yield night, vendor, table and record of a case."""
    for line in (CASES / case / "loads.jsonl").read_text("utf-8").splitlines():
        one = json.loads(line)
        record = (case, one["id"], read_time(one["at"]), one["payload"])
        yield one["load"], one["vendor"], one.get("table", ""), record


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Rated:
    """Give all cases after their last night."""
    accounts: dict[str, list[str]] = defaultdict(list)
    nights: dict[int, dict[tuple[str, str], list[Record]]] = defaultdict(dict)
    house = Rated(tmp_path_factory.mktemp("cases"), accounts=accounts)
    for case in NAMES:
        house.cards += read_rate_cards(CASES / case / "rate_cards.toml", {})
        for night, vendor, table, record in loads(case):
            nights[night].setdefault((vendor, table), []).append(record)
            if case not in accounts[vendor]:
                accounts[vendor].append(case)
    for night in sorted(nights):
        for (vendor, table), records in nights[night].items():
            house.load(vendor, records, table)
        result = house.build()
        assert result.is_full == (night == 1), result.reason
    return house


def said(value: object) -> str:
    """Write a cell as a person does."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


@pytest.mark.parametrize("expected", EXPECTED, ids=str)
def test_a_case_comes_out_as_worked_by_hand(rated: Rated, expected: Path) -> None:
    lines = (CASES / expected).read_text("utf-8").splitlines()
    assert lines[0].startswith("# "), "say how the numbers come about"
    header, *rows = csv.reader(line for line in lines if not line.startswith("#"))
    of_case = OF_ACCOUNT[expected.stem].format(expected.parent)
    found = rated.query(
        f"select {', '.join(header)} from {expected.stem} where {of_case}"
    )
    assert sorted([said(cell) for cell in row] for row in found) == sorted(rows)


def test_cases_come_out_the_same_from_nothing(rated: Rated) -> None:
    nightly = rated.tables()
    rated.build(full=True)
    assert rated.tables() == nightly


def test_a_rate_card_is_a_row_that_analysts_read(rated: Rated) -> None:
    rows = rated.query(
        "select direction, component, unit, increment, minimum, unit_price, base_cost,"
        " allowance, currency, valid_from, valid_to, overrides from rate_cards"
        " where account = 'latest_card' order by valid_from"
    )
    zero, sixty = Decimal(0), Decimal(60)
    first = ("inbound", "telephony", "minute", sixty, zero)
    assert rows[:2] == [
        (*first, Decimal("0.01"), 5, 0, "USD", date(2026, 1, 1), None, False),
        (
            *(*first, Decimal("0.02"), 7, 0, "USD"),
            *(date(2026, 3, 10), date(2026, 3, 20), False),
        ),
    ]


def test_a_call_that_time_leaves_without_a_price_moves_those_of_later_calls(
    tmp_path: Path,
) -> None:
    card = RateCard(
        *("zoom", "main", "inbound", "telephony", "call"),
        increment=Decimal(1),
        unit_price=Decimal(2),
        currency="USD",
        valid_from=date(2026, 1, 1),
        allowance=Decimal(1),
        overrides=True,
    )
    house = Rated(tmp_path, accounts={"zoom": ("main",)}, cards=(card,))
    at = NOW - timedelta(days=2)
    later = zoom_call("b", at + timedelta(hours=1), 1, "$9")
    house.load("zoom", [zoom_call("a", at, 1, None), later])
    house.build()
    costs = "select vendor_call_id, cost_total from fact_calls order by all"
    assert house.query(costs) == [("a", None), ("b", 0)]
    house.now = NOW + timedelta(days=6)
    assert house.build().touched == {"zoom": 2}
    assert house.query(costs) == [("a", 0), ("b", 2)]


MONTH_ENDS = [
    datetime(2026, 2, 28, 23, 59, tzinfo=UTC),
    datetime(2026, 3, 1, tzinfo=UTC),
    datetime(2026, 3, 15, tzinfo=UTC),
    datetime(2026, 3, 31, 23, 59, tzinfo=UTC),
    datetime(2026, 4, 1, tzinfo=UTC),
    datetime(2026, 4, 18, tzinfo=UTC),
]


def zoom_call(name: str, at: datetime, minutes: int, charge: str | None) -> Record:
    payload = {
        "engagement_id": name,
        "direction": "inbound",
        "start_time": at.isoformat(),
        "total_duration": 60 * minutes,
        "result": "completed",
        "charge": charge,
    }
    return "main", name, at, payload


def twin_call(name: str, at: datetime, minutes: int, waited: timedelta) -> Record:
    """Return a call that began some time after it was created, priced nowhere."""
    payload = {
        "callId": name,
        "status": "ANSWERED",
        "createdAt": at.isoformat(),
        "startedAt": (at + waited).isoformat(),
        "duration": 60 * minutes,
    }
    return "main", name, at, payload


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Record]]:
    """Draw the calls of a night: new ones, changed ones, and some that are gone."""
    found = []
    for vendor in ("whippy", "zoom", "twin"):
        for name in draw(st.lists(st.sampled_from("abcdef"), max_size=3, unique=True)):
            at = draw(st.sampled_from(MONTH_ENDS))
            minutes = draw(st.integers(0, 3))
            record = {
                "whippy": whippy_call(name, at, 60 * minutes),
                "zoom": zoom_call(
                    name, at, minutes, draw(st.sampled_from(["$9", None, None]))
                ),
                "twin": twin_call(
                    name, at, minutes, timedelta(minutes=draw(st.sampled_from([0, 5])))
                ),
            }[vendor]
            is_gone = draw(st.integers(0, 4)) == 0
            found.append((vendor, (*record[:3], None) if is_gone else record))
    return found


@pytest.mark.history
@settings(
    max_examples=HISTORIES,
    # Each example is some builds: to make a failing one smaller would take minutes.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(histories(), min_size=2, max_size=3))
def test_late_calls_end_as_a_build_from_nothing(
    tmp_path_factory: pytest.TempPathFactory, nights: list[list[tuple[str, Record]]]
) -> None:
    vendors = ("whippy", "zoom", "twin")
    house = Rated(
        tmp_path_factory.mktemp("history"),
        accounts=dict.fromkeys(vendors, ("main",)),
        cards=tuple(
            RateCard(
                *(vendor, "main", "inbound", "telephony", "minute"),
                increment=Decimal(60),
                unit_price=Decimal("0.03"),
                currency="USD",
                valid_from=date(2026, 1, 1),
                allowance=Decimal(3),
                overrides=vendor == "zoom",
            )
            for vendor in vendors
        ),
    )
    for number, records in enumerate(nights):
        # A Zoom call of 18 April that is not charged has no price from the 25th on.
        house.now = NOW + timedelta(days=4 * number)
        for vendor, record in records:
            house.load(vendor, [record])
        result = house.build()
        assert result.is_full == (number == 0), result.reason
    nightly = house.tables()
    house.build(full=True)
    assert house.tables() == nightly
