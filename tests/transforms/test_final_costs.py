"""Final means final: what an allowance makes of a call, and what moves afterwards."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from raw_files import LEDGER, RawFiles, whippy_call

from pipelines.cli.run_view import show_built
from pipelines.config.rate_cards import RateCard
from transforms.runner.build import FinalCostChange

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CARD = RateCard(
    *("whippy", "main", "inbound", "telephony", "call"),
    increment=Decimal(1),
    unit_price=Decimal(2),
    currency="USD",
    valid_from=date(2026, 1, 1),
    allowance=Decimal(1),
    base_cost=Decimal(1),
)
COSTS = (
    "select vendor_call_id, cost_total, cost_status, is_settled from fact_calls"
    " order by all"
)
USAGE = (
    "select complete_days, share_known, is_final from monthly_account_usage"
    " where month = '2026-03-01'"
)


@pytest.fixture
def house(tmp_path: Path) -> RawFiles:
    """Give the second call of March, of which the first comes late."""
    house = RawFiles(tmp_path, cards=(CARD,), now=APRIL + DAY)
    house.load("whippy", [whippy_call("b", MARCH + 9 * DAY)])
    read(house, MARCH - DAY, MARCH, MARCH + DAY)
    house.build()
    return house


def read(house: RawFiles, start: datetime, end: datetime, at: datetime) -> None:
    """Write that all calls of a span were read at a time."""
    row = ("main", "calls", start, end, "nightly", "complete", 7, 0, 1, at, None, None)
    house.write("whippy", "load_windows", LEDGER, [(*row, at)])


@pytest.mark.soak
def test_a_cost_within_an_allowance_is_final_once_its_month_is_closed(
    house: RawFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    open_yet = [("b", 0, "provisional", False)]
    assert house.query(COSTS) == open_yet
    # The horizon of March has passed; its last day was read before its lookback was
    # over, and eleven were not read.
    house.now = APRIL + 9 * DAY
    read(house, MARCH, MARCH + 19 * DAY, house.now)
    read(house, APRIL - DAY, APRIL, APRIL + DAY)
    assert house.build().rebuilt == {}
    assert house.query(COSTS) == open_yet
    assert house.query(USAGE) == [(20, Decimal("64.5"), False)]
    read(house, MARCH + 19 * DAY, APRIL - DAY, house.now)
    assert house.build().rebuilt == {}
    assert house.query(USAGE) == [(31, 100, False)]
    read(house, APRIL - DAY, APRIL, house.now)
    assert house.build().rebuilt == {"whippy": 1}
    assert house.query(COSTS) == [("b", 0, "final", True)]
    assert house.query(USAGE) == [(31, 100, True)]
    # A call comes all the same, and moves what was final: that is told, once.
    house.load("whippy", [whippy_call("a", MARCH + 4 * DAY)])
    result = house.build()
    assert house.query(COSTS) == [("a", 0, "final", True), ("b", 2, "final", True)]
    told = FinalCostChange("whippy", "main", 1, "USD", Decimal(0), "USD", Decimal(2))
    assert result.final_cost_changes == (told,)
    show_built((result, house.folder))
    assert (
        "whippy: the final cost of 1 call of the account main changed from 0 USD to"
        " 2 USD" in capsys.readouterr().err
    )
    daily = house.tables()
    assert house.build(full=True).final_cost_changes == ()
    assert house.tables() == daily


def test_a_month_is_open_until_its_horizon_has_passed(house: RawFiles) -> None:
    house.now = APRIL + 6 * DAY
    read(house, MARCH, APRIL, house.now)
    house.build()
    assert house.query(COSTS) == [("b", 0, "provisional", False)]
    house.now = APRIL + 7 * DAY
    house.build()
    assert house.query(COSTS) == [("b", 0, "final", True)]


@pytest.mark.soak
def test_a_price_that_the_operator_corrects_is_told_as_well(house: RawFiles) -> None:
    spread = (
        "select count(*), sum(amount), min(amount), max(amount)"
        " from daily_costs where component = 'base'"
        " group by date_trunc('month', call_date) order by max(call_date)"
    )
    least, most = Decimal("0.032258"), Decimal("0.032259")
    # A base cost is spread over all days of its month; of April two have begun.
    assert house.query(spread)[0] == (31, 1, least, most)
    assert house.query(spread)[1][:2] == (2, Decimal("0.066666"))
    house.cards = (replace(CARD, allowance=Decimal(0)),)
    assert house.build().final_cost_changes == ()
    assert house.query(COSTS) == [("b", 2, "final", True)]
    house.cards = (replace(CARD, allowance=Decimal(0), unit_price=Decimal(3)),)
    (told,) = house.build().final_cost_changes
    assert (told.calls, told.old_cost, told.new_cost) == (1, 2, 3)
