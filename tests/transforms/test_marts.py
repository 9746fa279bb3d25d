"""What marts say of months, of days that all vendors have, and of short abandons."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from raw_files import LEDGER, RECORDS, RawFiles, Record, whippy_call

from pipelines.config.rate_cards import RateCard
from pipelines.planning.windows import DAY

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)
EVENING = datetime(2026, 3, 31, 20, tzinfo=UTC)
"""In Tokyo April has begun."""
ONE = Decimal(1)
HOUR = timedelta(hours=1)
CARD = RateCard(
    "whippy", "main", "inbound", "telephony", "call", ONE, ONE, "USD", MARCH
)


def zoom_call(name: str, result: str) -> Record:
    payload = {"engagement_id": name, "direction": "inbound", "result": result}
    return "main", name, EVENING, {**payload, "start_time": EVENING.isoformat()}


def evovoice_call(name: str, seconds: int) -> Record:
    """Return a call that its caller gave up after some seconds."""
    over = EVENING.replace(second=seconds)
    payload = {"id": name, "channel": "Voice", "direction": "Incoming", "ended": True}
    times = {"dateCreated": EVENING.isoformat(), "dateCompleted": over.isoformat()}
    return "main", name, EVENING, {**payload, **times, "outcome": "Abandoned"}


def test_calls_of_a_billing_month_are_those_of_its_bill(tmp_path: Path) -> None:
    house = RawFiles(tmp_path, time_zone="Asia/Tokyo", cards=(CARD,))
    times = [EVENING - DAY, EVENING, EVENING + DAY]
    house.load("whippy", [whippy_call(f"{at:%d}", at) for at in times])
    house.build()
    days = "select call_date, billing_month, calls from daily_calls order by all"
    assert house.query(days) == [
        (date(2026, 3, 31), MARCH, 1),
        (date(2026, 4, 1), MARCH, 1),
        (date(2026, 4, 2), APRIL, 1),
    ]
    months = "select billing_month, sum(calls) from daily_calls group by 1 order by 1"
    billed = "select month, sum(calls) from monthly_account_usage group by 1 order by 1"
    assert house.query(months) == house.query(billed) == [(MARCH, 2), (APRIL, 1)]


def test_a_date_is_complete_for_all_if_the_utc_days_it_touches_are(
    tmp_path: Path,
) -> None:
    """In Tokyo a date begins at 15:00 of the UTC day before."""
    accounts = {"whippy": ("main",), "zoom": ("main",)}
    house = RawFiles(tmp_path, accounts, time_zone="Asia/Tokyo", now=EVENING + 3 * DAY)
    house.load("whippy", [whippy_call("a", EVENING)])
    reads = [("whippy", "calls", 28, 31), ("zoom", "voice_calls", 29, 31)]
    for vendor, stream, *days in reads:
        start, end = (datetime(2026, 3, day, tzinfo=UTC) for day in days)
        row = ("main", stream, start, end, "nightly", "complete", 7, 0, 1, end)
        house.write(vendor, "load_windows", LEDGER, [(*row, None, None, end)])
    house.build()
    dates = "select date from dim_dates where is_complete_for_all"
    assert house.query(dates) == [(date(2026, 3, 30),)]
    zones = "select reporting_time_zone, short_abandon_seconds from ops.build_info"
    assert house.query(zones) == [("Asia/Tokyo", 5)]


def test_a_setting_says_which_abandons_are_short_where_no_word_does(
    tmp_path: Path,
) -> None:
    """With 0 none is by its length, and the vendor's own word still counts."""
    house = RawFiles(tmp_path, {"evovoice": ("main",), "zoom": ("main",)})
    house.load("evovoice", [evovoice_call(f"{s}", s) for s in (0, 4, 9)])
    words = ("short_abandoned", "long_abandoned")
    house.load("zoom", [zoom_call(word, word) for word in words])
    found = {}
    for seconds in (5, 10, 0):
        house.short_abandon_seconds = seconds
        assert house.build().is_full
        sums = "select vendor, sum(short_abandoned_offered_calls) from daily_calls"
        found[seconds] = dict(house.query(f"{sums} group by 1"))
    assert found == {
        5: {"evovoice": 2, "zoom": 1},
        10: {"evovoice": 3, "zoom": 1},
        0: {"evovoice": 0, "zoom": 1},
    }


def test_an_hour_is_one_of_the_reporting_time_zone(tmp_path: Path) -> None:
    """On 29 March 2026 the clocks of Berlin go from 2 to 3 o'clock, at 1:00 UTC."""
    house = RawFiles(tmp_path, time_zone="Europe/Berlin")
    change = datetime(2026, 3, 29, 1, tzinfo=UTC)
    times = [change - 2 * HOUR, change - timedelta(seconds=1), change, change + HOUR]
    house.load("whippy", [whippy_call(f"{at}", at) for at in times])
    house.write(
        "whippy", "calls", RECORDS, [("main", "x", None, EVENING, EVENING, "{}")]
    )
    house.build()
    local = "select started_at_local, call_hour from fact_calls order by started_at"
    day = datetime(2026, 3, 29)  # noqa: DTZ001
    clock = [
        timedelta(0),
        timedelta(hours=1, minutes=59, seconds=59),
        3 * HOUR,
        4 * HOUR,
    ]
    assert house.query(local) == [
        *((day + time, hour) for time, hour in zip(clock, (0, 1, 3, 4), strict=True)),
        (None, None),
    ]
    hours = "select call_date, call_hour, calls from hourly_calls order by all"
    expected = [(day.date(), hour, 1) for hour in (0, 1, 3, 4)]
    assert house.query(hours) == [*expected, (None, None, 1)]


def test_of_the_first_days_it_is_not_known_who_had_called_before(
    tmp_path: Path,
) -> None:
    """A week after the oldest call the days before are known."""
    house = RawFiles(tmp_path)
    calls = []
    for days in (0, 3, 7):
        account, name, at, payload = whippy_call(f"{days}", EVENING + days * DAY)
        caller = {"from": "+12065550141", "voicemail": False, "user_id": 7}
        calls.append((account, name, at, {**(payload or {}), **caller}))
    house.load("whippy", calls)
    house.build()
    sums = "contacts, repeat_known_contacts, repeat_contacts"
    found = f"select {sums} from daily_repeat_calls order by call_date"
    assert house.query(found) == [(1, 0, 0), (1, 0, 0), (1, 1, 1)]
