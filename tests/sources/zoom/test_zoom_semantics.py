"""What is surprising in Zoom's API, over real HTTP."""

import json
import shutil
from collections.abc import Iterator
from decimal import Decimal

import pytest
from conftest import Row
from reading import (
    EVENING,
    FIRST,
    SHIPPED,
    House,
    days,
    ids_in,
    listed,
    listing,
    payloads,
    questions,
    read,
    said,
    scripted_environment,
    scripted_house,
    unknown,
)
from sandbox_control import asked_of, control
from vendor_server import Answer, VendorServer

from pipelines.planning.windows import DAY, read_time
from pipelines.sandbox.process import Sandbox


def test_a_zoom_token_that_ends_in_mid_run_is_renewed_and_nothing_is_lost(
    world: Sandbox,
) -> None:
    """The vendor says 3,600 seconds and then keeps a token for two."""
    control(world, "token_life", vendor="zoom", seconds=2)
    for after in (1, 4):
        slow = {"vendor": "zoom", "kind": "slow", "seconds": 3, "after": after}
        control(world, "faults", **slow)
    before = asked_of(world)["/zoom/oauth/token"]
    ends = ("2026-11-10", "2026-11-17")
    reading = read(dict(world.environment), "zoom", days("zoom", *ends))
    assert reading.states == {"complete"}
    since, until = (read_time(end, "UTC") for end in ends)
    assert reading.ids >= ids_in(world, "zoom", since, until)
    assert asked_of(world)["/zoom/oauth/token"] - before >= 3


def test_a_zoom_page_token_that_died_is_no_last_page(scripted: VendorServer) -> None:
    engagement = {"engagement_id": "z1", "start_time": "2026-03-01T10:00:00+00:00"}
    first = listing("zoom", [engagement], total_records=2, next_page_token="p2")
    died = Answer(b'{"code":300,"message":"The next page token is invalid"}', 400)
    login = said(access_token="t-1", expires_in=3600)

    def answer(path: str, _: bytes) -> Answer:
        if path == "/login":
            return login
        return died if "next_page_token=p2" in path else first

    scripted.always = answer
    environment = scripted_environment(scripted.url)
    reading = read(environment, "zoom", days("zoom", *FIRST))
    assert reading.states == {"failed"}
    assert reading.records == []


@pytest.mark.parametrize(
    ("limit", "state", "requests"),
    [("second_limit", "complete", 2), ("daily_limit", "failed", 1)],
)
def test_zooms_limit_of_a_second_is_waited_for_and_that_of_a_day_is_not(
    world: Sandbox, limit: str, state: str, requests: int
) -> None:
    control(world, "faults", vendor="zoom", kind=limit)
    path = "/zoom/v2/contact_center/voice_calls"
    before = asked_of(world)[path]
    (day,) = (one for one in days("zoom", *FIRST) if one.stream == "voice_calls")
    reading = read(dict(world.environment), "zoom", [day])
    assert reading.states == {state}
    assert asked_of(world)[path] - before == requests


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (
            Answer(
                b'{"code": 429, "message": "You have reached the maximum daily rate '
                b'limit for this API. Refer to the response header for details."}',
                429,
            ),
            "daily rate limit for this API",
        ),
        (
            Answer(
                b'{"code": 429, "message": "Too many"}',
                429,
                {"x-ratelimit-type": "Daily-limit"},
            ),
            "Too many",
        ),
        (
            Answer(b'{"code": 4700, "message": "Invalid access token."}', 400),
            "grant the app this scope",
        ),
        (
            Answer(b'{"code": 4711, "message": "Invalid access token."}', 401),
            "grant the app this scope",
        ),
    ],
    ids=["daily", "daily by its header", "4700", "4711"],
)
def test_zoom_is_not_asked_again_when_its_answer_will_be_the_same(
    tmp_path_factory: pytest.TempPathFactory, refusal: Answer, expected: str
) -> None:
    """The vendor is told of once, whatever number of days was to be read."""
    with scripted_house(tmp_path_factory, "zoom") as (vendor, built):
        login = said(access_token="t-1", expires_in=3600)
        vendor.always = lambda path, _: login if path == "/login" else refusal
        outcome = built.load("zoom", EVENING + 2 * DAY)
        assert len(questions(vendor)) == 1
    (error,) = outcome.errors
    assert expected in error
    assert not outcome.is_complete


def engagement(number: int, **fields: object) -> Row:
    return {
        "engagement_id": f"z{number}",
        "direction": "inbound",
        "start_time": "2026-03-01T10:00:00+00:00",
        "end_time": "2026-03-01T10:05:00+00:00",
        "total_duration": 300,
        "result": "completed",
        "caller_number": "+12025550101",
        "callee_number": "+12025550100",
        "consumer_number": "+12025550101",
        **fields,
    }


def leg(start: str, call_leg: str, charge: str) -> Row:
    return {
        "call_leg": call_leg,
        "start_time": f"2026-03-01T{start}+00:00",
        "total_duration": 60,
        "charge": charge,
        "rate": "$0.019",
    }


ZOOM = [
    engagement(
        1,
        charge="$0.152",
        rates=["$0.019"],
        voice_call_details=[
            leg("10:02:00", "outbound", "$0.038"),
            leg("10:00:00", "inbound", "$0.114"),
        ],
    ),
    engagement(2, callee_number_type="byoc_number", consumer_number="anonymous"),
    engagement(3, types=["internal_call"], charge=None),
    engagement(4, charge="€0.50"),
    engagement(
        5,
        start_time="2026-03-01T02:00:00-08:00",
        end_time="2026-03-01T02:05:00-08:00",
        charge="-",
        consumer_number="sip:front@pbx.example.com",
    ),
]


@pytest.fixture(scope="module")
def zoom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give two nights; in the second a consumer's number has been erased.

    They are configured with the file that is shipped.
    """
    with scripted_house(tmp_path_factory, "zoom") as (vendor, built):
        shutil.copy(SHIPPED, built.folder)
        vendor.always = listed("zoom", ZOOM)
        assert built.night("zoom", EVENING).errors == ()
        erased = {**ZOOM[0], "consumer_number": None, "caller_number": None}
        vendor.always = listed("zoom", [erased, *ZOOM[1:]])
        assert built.night("zoom", EVENING + DAY / 24).errors == ()
        yield built


def test_a_zoom_charge_is_the_whole_and_its_legs_are_not_added(zoom: House) -> None:
    assert zoom.query(
        "select cost_total, currency, cost_source, cost_status, leg_count "
        "from fact_calls where vendor_call_id = 'z1'"
    ) == [(Decimal("0.152"), "USD", "reported", "final", 2)]
    legs = "select leg_no, direction, cost from fact_call_legs order by 1"
    assert zoom.query(legs) == [
        (1, "inbound", Decimal("0.114")),
        (2, "outbound", Decimal("0.038")),
    ]


def test_a_zoom_call_without_a_charge_costs_nothing_known_rather_than_zero(
    zoom: House,
) -> None:
    unpriced = (
        "select vendor_call_id, cost_total, currency, cost_status from fact_calls "
        "where vendor_call_id in ('z2', 'z3', 'z5') order by 1"
    )
    assert zoom.query(unpriced) == [
        (number, None, None, "pending") for number in ("z2", "z3", "z5")
    ]
    zoom.build(EVENING + 8 * DAY)
    assert {row[3] for row in zoom.query(unpriced)} == {"none"}


def test_what_zoom_blanks_in_a_record_is_blank_in_what_is_held_of_it_before(
    zoom: House,
) -> None:
    before, after = map(json.loads, payloads(zoom, "zoom", "voice_calls", "z1"))
    assert before == after
    assert before["consumer_number"] is None
    assert before["callee_number"] == ZOOM[0]["callee_number"]
    (held,) = payloads(zoom, "zoom", "voice_calls", "z2")
    assert json.loads(held)["consumer_number"] == "anonymous"


PRICED = (
    "select vendor_call_id, cost_total, currency from fact_calls "
    "where cost_total is not null order by 1"
)


def test_a_zoom_amount_in_another_currencys_symbol_is_in_that_one_and_told_of(
    zoom: House,
) -> None:
    assert unknown(zoom) == {("charge symbol", "€")}
    assert zoom.query(PRICED) == [
        ("z1", Decimal("0.152"), "USD"),
        ("z4", Decimal("0.50"), "EUR"),
    ]


@pytest.mark.soak
def test_a_zoom_amount_in_dollars_is_in_no_other_accounts_currency(zoom: House) -> None:
    """Dollars of which country is unknown, so that there is no amount at all."""
    euro = {"CALLHOUSE__SOURCES__ZOOM__CURRENCY": "EUR"}
    configured = House(zoom.folder, {**zoom.environment, **euro})
    configured.build(EVENING + 9 * DAY)
    assert unknown(configured) == {
        ("charge symbol", "$"),
        ("voice_call_details.charge symbol", "$"),
    }
    assert configured.query(PRICED) == [("z4", Decimal("0.50"), "EUR")]
    legs = "select distinct cost, currency from fact_call_legs"
    assert configured.query(legs) == [(None, None)]
    prices = "select unit_price, unit from fact_call_costs"
    assert configured.query(prices) == [(None, None)]
    canadian = {"CALLHOUSE__SOURCES__ZOOM__CURRENCY": "CAD"}
    House(zoom.folder, {**zoom.environment, **canadian}).build(EVENING + 9 * DAY)
    assert zoom.query(PRICED)[0] == ("z1", Decimal("0.152"), "CAD")


def test_a_zoom_rate_is_a_price_of_a_minute_where_there_is_but_one(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    legs = [leg("10:00:00", "inbound", "$0.1"), leg("10:02:00", "outbound", "$0.1")]
    rated = {"charge": "$1,000.50", "charge_type": "per_minute"}
    cases: list[tuple[Row, str | None, str | None]] = [
        ({"rates": ["$0.019"]}, "0.019", "minute"),
        ({"rates": ["$0.019", "0.019 USD"]}, "0.019", "minute"),
        ({"rates": ["-$1,000.5"]}, "-1000.5", "minute"),
        ({"rates": ["$0.019"], "charge_type": "per_call"}, "0.019", None),
        ({"rates": ["$0.019"], "charge_type": None}, "0.019", None),
        ({"voice_call_details": legs}, "0.019", "minute"),
        ({"rates": ["$0.019", "$0.02"]}, None, None),
        ({"rates": ["$0.02"], "voice_call_details": legs}, None, None),
        ({"rates": ["$0.019", "free"]}, None, None),
        ({"rates": ["€0.019"]}, None, None),
        ({"rates": ["", "-", None]}, None, None),
        ({"rates": None}, None, None),
    ]
    with scripted_house(tmp_path_factory, "zoom") as (vendor, built):
        vendor.always = listed(
            "zoom",
            [
                engagement(number, **{**rated, **fields})
                for number, (fields, _, _) in enumerate(cases, start=1)
            ],
        )
        assert built.night("zoom", EVENING).errors == ()
        prices = built.query(
            "select call_key, unit_price, unit, quantity, amount from fact_call_costs "
            "where is_leaf"
        )
    assert sorted(prices) == sorted(
        (
            f"zoom:main:z{number}",
            None if price is None else Decimal(price),
            unit,
            None,
            Decimal("1000.5"),
        )
        for number, (_, price, unit) in enumerate(cases, start=1)
    )


def test_a_zoom_time_in_another_zone_is_the_same_instant(zoom: House) -> None:
    started = "select started_at, ended_at from fact_calls where vendor_call_id = 'z5'"
    assert zoom.query(started) == [
        (read_time("2026-03-01T10:00:00Z"), read_time("2026-03-01T10:05:00Z"))
    ]


def test_a_zoom_party_that_is_no_number_is_no_number(zoom: House) -> None:
    assert zoom.query(
        "select customer_number, customer_number_kind from fact_calls "
        "where vendor_call_id in ('z2', 'z5') order by vendor_call_id"
    ) == [(None, "anonymous"), (None, "sip")]


def test_a_number_that_zoom_has_erased_is_gone_from_the_facts(zoom: House) -> None:
    erased = "select customer_number, cost_total from fact_calls where {}"
    assert zoom.query(erased.format("vendor_call_id = 'z1'")) == [
        (None, Decimal("0.152"))
    ]
    versions = "select count(*) from raw.voice_calls where record_id = 'z1'"
    assert zoom.raw("zoom", versions) == [(2,)]
