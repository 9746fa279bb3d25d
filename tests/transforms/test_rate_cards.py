"""What rate cards make of calls that time passes, and of nights in any order."""

import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from raw_files import NOW, RawFiles, Record, whippy_call

from pipelines.config.rate_cards import RateCard

HISTORIES = int(os.environ.get("CALLHOUSE_HISTORIES", "1"))


@pytest.mark.soak
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
    house = RawFiles(tmp_path, accounts={"zoom": ("main",)}, cards=(card,))
    at = NOW - timedelta(days=2)
    later = zoom_call("b", at + timedelta(hours=1), 1, "$9")
    house.load("zoom", [zoom_call("a", at, 1, None), later])
    house.build()
    costs = "select vendor_call_id, cost_total from fact_calls order by all"
    assert house.query(costs) == [("a", None), ("b", 0)]
    house.now = NOW + timedelta(days=6)
    assert house.build().rebuilt == {"zoom": 2}
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
            is_expired = draw(st.integers(0, 4)) == 0
            found.append((vendor, (*record[:3], None) if is_expired else record))
    return found


@pytest.mark.soak
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
    house = RawFiles(
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
