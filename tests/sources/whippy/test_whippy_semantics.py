"""What is surprising in Whippy's API, over real HTTP."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from conftest import Row
from reading import (
    EVENING,
    FIRST,
    MONDAY,
    House,
    days,
    house,
    ids_in,
    listed,
    questions,
    read,
    said,
    scripted_environment,
    scripted_house,
    unknown,
)
from sandbox_control import control, stamp
from vendor_server import Answer, VendorServer

from pipelines.extract import source as extract_source
from pipelines.extract.client import Auth, Client
from pipelines.extract.errors import ClassifyError
from pipelines.planning.windows import read_time
from pipelines.sandbox.process import Sandbox


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (408, {}),
        (422, {"errors": [{"description": "Search query timed out"}]}),
        (500, {"error": "statement timeout"}),
        (504, {}),
    ],
)
def test_a_whippy_search_that_takes_too_long_is_halved(
    world: Sandbox, status: int, words: Row
) -> None:
    fault = {"vendor": "whippy", "kind": "status", "status": status, "body": words}
    control(world, "faults", **fault, times=2)
    reading = read(dict(world.environment), "whippy", days("whippy", *MONDAY))
    since, until = (read_time(end, "UTC") for end in MONDAY)
    assert reading.states == {"complete"}
    assert reading.ids >= ids_in(world, "whippy", since, until)


def test_a_whippy_page_that_was_capped_is_not_the_last(sandbox: Sandbox) -> None:
    windows = days("whippy", *MONDAY)
    reading = read(dict(sandbox.environment), "whippy", windows, page_size=500)
    since, until = (read_time(end, "UTC") for end in MONDAY)
    assert len(ids_in(sandbox, "whippy", since, until)) > 100
    assert reading.ids >= ids_in(sandbox, "whippy", since, until)


def whippy_history(
    seconds: int, counts: int = 9999, lists: int = 9999, reaches: int = 9999
) -> Callable[[str, bytes], Answer]:
    """Answer as a Whippy that counts, lists or lets itself be asked for so many."""
    start = read_time("2026-03-01T00:00:00Z")
    calls = [
        {"id": f"w{n}", "created_at": stamp(start + timedelta(seconds=n * seconds))}
        for n in range(86_400 // seconds)
    ]

    def answer(path: str, body: bytes) -> Answer:
        form, bounds = dict(parse_qsl(urlsplit(path).query)), json.loads(body)
        offset, limit = int(form["offset"]), min(100, int(form["limit"]))
        if offset > reaches:
            return Answer(b'{"errors": [{"description": "offset is too large"}]}', 422)
        low, high = bounds["after"], bounds["before"]
        found = [one for one in calls if low < one["created_at"] < high]
        page: list[Row] = [*found[:lists][offset : offset + limit]]
        return said(data=page, total=min(counts, len(found)))

    return answer


@pytest.mark.parametrize(
    "bounds",
    [
        {"counts": 1000},
        {"counts": 850},
        {"counts": 1000, "lists": 1000},
        {"counts": 1000, "reaches": 900},
        {"reaches": 500},
    ],
    ids=str,
)
def test_a_whippy_day_comes_whole_wherever_its_total_or_its_offset_ends(
    scripted: VendorServer, bounds: dict[str, int]
) -> None:
    scripted.always = whippy_history(72, **bounds)
    windows = days("whippy", *FIRST)
    reading = read(scripted_environment(scripted.url), "whippy", windows)
    assert reading.states == {"complete"}
    assert len(reading.ids) == 1200


def test_a_whippy_total_that_is_no_round_number_costs_no_further_request(
    scripted: VendorServer,
) -> None:
    scripted.always = whippy_history(640)
    windows = days("whippy", *FIRST)
    read(scripted_environment(scripted.url), "whippy", windows)
    assert len(scripted.got) == 2, "135 calls have two pages"


def test_a_whippy_list_without_a_total_is_read_until_an_empty_page(
    scripted: VendorServer,
) -> None:
    pages = [[1, 2], [3], []]
    scripted.answers = [
        said(data=[{"id": f"w{n}", "created_at": "2026-03-01T10:00:00"} for n in page])
        for page in pages
    ]
    windows = days("whippy", *FIRST)
    reading = read(scripted_environment(scripted.url), "whippy", windows)
    assert reading.ids == {"w1", "w2", "w3"}
    assert reading.ledger[0]["vendor_total"] is None


def test_a_whippy_search_may_take_as_long_as_it_was_told(
    scripted: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor must be the first to give up, or its own error never arrives."""
    told: list[float] = []

    def noted(
        vendor: str,
        base_url: str,
        auth: Auth,
        *,
        requests_per_second: float,
        classify_error: ClassifyError,
        read_seconds: float,
        **_: object,
    ) -> Client:
        told.append(read_seconds)
        pace = requests_per_second
        return Client(
            vendor,
            base_url,
            auth,
            requests_per_second=pace,
            classify_error=classify_error,
        )

    monkeypatch.setattr(extract_source, "Client", noted)
    scripted.always = listed("whippy", [])
    read(scripted_environment(scripted.url), "whippy", days("whippy", *FIRST))
    asked = dict(parse_qsl(questions(scripted)[0].partition("{")[0]))
    (patience,) = told
    assert patience > int(asked["timeout"]) / 1000


RATE_CARD = """
[[rate_card]]
vendor = "whippy"
account = "main"
direction = "inbound"
component = "telephony"
unit = "minute"
increment = 60
unit_price = 0.03
currency = "USD"
valid_from = 2026-01-01
"""


def whippy_call(number: int, **fields: object) -> Row:
    return {
        "id": f"w{number}",
        "direction": "INBOUND",
        "delivery_status": "call_completed",
        "from": "+12025550101",
        "to": "+12025550100",
        "created_at": "2026-03-01T17:25:19.094338Z",
        "updated_at": "2026-03-01T17:27:31.339575Z",
        "duration": 96_240,
        **fields,
    }


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a night of Whippy with a rate card for inbound calls."""
    with scripted_house(tmp_path_factory, "whippy") as (vendor, built):
        (built.folder / "rate_cards.toml").write_text(RATE_CARD)
        calls = [
            whippy_call(1, agent_id="5b1c0000-0000-4000-8000-000000000001"),
            whippy_call(2, direction="OUTBOUND", agent_id=None, user_id=7),
            whippy_call(3, direction="OUTBOUND", call_cost={"combined_cost": 70}),
            whippy_call(4, created_at="2026-03-01T17:25:19", duration=None),
            whippy_call(5, direction="OUTBOUND", totalPrice=None, price="", cost=0.07),
            whippy_call(
                6, direction="OUTBOUND", metadata={"unit_cost": 7, "duration": 96_240}
            ),
        ]
        vendor.always = listed("whippy", calls)
        assert built.night("whippy", EVENING).errors == ()
        yield built


def test_a_whippy_duration_is_milliseconds_and_its_price_a_rate_cards(
    rated: House,
) -> None:
    facts = (
        "select vendor_call_id, total_seconds, cost_total, currency, cost_source, "
        "is_bot_handled from fact_calls order by 1"
    )
    assert rated.query(facts) == [
        ("w1", Decimal("96.240"), Decimal("0.06"), "USD", "rated", True),
        ("w2", Decimal("96.240"), None, None, "none", False),
        ("w3", Decimal("96.240"), None, None, "none", None),
        ("w4", None, None, None, "none", None),
        ("w5", Decimal("96.240"), None, None, "none", None),
        ("w6", Decimal("96.240"), None, None, "none", None),
    ]


def test_a_rate_card_is_one_accounts_own(
    tmp_path: Path, scripted: VendorServer
) -> None:
    key = "CALLHOUSE__SOURCES__WHIPPY__ACCOUNTS__SECOND__API_KEY"
    both = {**scripted_environment(scripted.url), key: "a-2"}
    built = house(tmp_path, both)
    second = RATE_CARD.replace('"main"', '"second"').replace("0.03", "0.05")
    (tmp_path / "rate_cards.toml").write_text(RATE_CARD + second)
    scripted.always = listed("whippy", [whippy_call(1)])
    assert built.night("whippy", EVENING).errors == ()
    costs = "select account, cost_total from fact_calls order by 1"
    assert built.query(costs) == [
        ("main", Decimal("0.06")),
        ("second", Decimal("0.10")),
    ]


def test_a_price_that_whippy_was_not_known_to_send_is_reported(rated: House) -> None:
    assert unknown(rated) == {
        ("call_cost", "no scalar"),
        ("cost", "0.07"),
        ("metadata.unit_cost", "7"),
    }


def test_a_whippy_time_without_a_zone_is_utc(rated: House) -> None:
    started = "select started_at from fact_calls where vendor_call_id = 'w4'"
    assert rated.query(started) == [(read_time("2026-03-01T17:25:19Z"),)]
