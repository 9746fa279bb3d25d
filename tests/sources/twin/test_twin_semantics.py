"""What is surprising in TWIN's API, over real HTTP."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from conftest import Row
from reading import (
    EVENING,
    FIRST,
    MONDAY,
    House,
    days,
    found,
    house,
    listed,
    listing,
    payloads,
    questions,
    read,
    said,
    scripted_environment,
    scripted_house,
)
from sandbox_control import control
from vendor_server import Answer, VendorServer

from pipelines.planning.windows import DAY, day_windows, read_time
from pipelines.sandbox.process import Sandbox
from pipelines.sources import twin


def test_a_date_parameter_that_twin_ignores_stops_the_account(sandbox: Sandbox) -> None:
    wrong: dict[str, Any] = {"date_field_parameter": "dateField"}
    windows = days("twin", *MONDAY)
    reading = read(dict(sandbox.environment), "twin", windows, **wrong)
    states = [(row["stream"], row["state"]) for row in reading.ledger]
    assert states == [("created_calls", "complete"), ("updated_calls", "failed")]
    assert "date-field parameter" in reading.ledger[1]["error"]


def test_a_twin_token_that_ends_in_mid_run_is_taken_again(world: Sandbox) -> None:
    control(world, "token_life", vendor="twin", seconds=2)
    slow = {"vendor": "twin", "kind": "slow", "seconds": 3, "after": 1}
    control(world, "faults", **slow)
    reading = read(dict(world.environment), "twin", days("twin", *MONDAY))
    assert reading.states == {"complete"}
    assert len(reading.ledger) == 3


def refusing(
    records: list[Row], known: str, most: int = 10_000
) -> Callable[[str, bytes], Answer]:
    """Answer as a TWIN that knows these fields, and no offset beyond ``most``."""

    def answer(path: str, _: bytes) -> Answer:
        if path.startswith("/login"):
            return said(token="t-1")
        form = dict(parse_qsl(urlsplit(path).query))
        names = form["fields"].split(",")
        if strangers := set(names) - set(known.split(",")):
            return Answer(
                b'{"message": "Unknown field %s"}' % min(strangers).encode(), 400
            )
        offset, limit = int(form["offset"]), int(form["limit"])
        if offset + limit > most:
            return Answer(b'{"message": "Result window is too large"}', 400)
        found = [one for one in records if form["from"] < one["createdAt"] < form["to"]]
        page: list[Row] = [
            {name: one[name] for name in names if name in one}
            for one in found[offset : offset + limit]
        ]
        return listing("twin", page, count=min(most, len(found)))

    return answer


def test_fields_that_twin_refuses_are_left_out_and_what_that_loses_is_told(
    scripted: VendorServer,
) -> None:
    scripted.always = refusing(TWIN, twin.FEWER_FIELDS)
    environment = scripted_environment(scripted.url)
    reading = read(environment, "twin", days("twin", *FIRST))
    states = [(row["stream"], row["state"]) for row in reading.ledger]
    assert states == [("created_calls", "complete"), ("updated_calls", "failed")]
    assert reading.ids == {"t1", "t2"}
    assert "no record came with 'updatedAt'" in reading.ledger[1]["error"]
    assert "fields" in reading.ledger[1]["error"]
    refused = [one for one in questions(scripted) if "billedAt,status" in one]
    assert len(refused) == 1, "it is asked for what was refused once only"


def test_fields_that_somebody_chose_are_not_exchanged(
    scripted: VendorServer, sandbox: Sandbox
) -> None:
    scripted.always = refusing(TWIN, twin.FEWER_FIELDS)
    environment = scripted_environment(scripted.url)
    chosen = "callId,createdAt,billedAt"
    reading = read(environment, "twin", days("twin", *FIRST), fields=chosen)
    assert reading.states == {"failed"}
    assert "Unknown field billedAt; check fields" in reading.ledger[0]["error"]
    fewer = read(
        dict(sandbox.environment),
        "twin",
        day_windows("created_calls", *MONDAY),
        fields=twin.FEWER_FIELDS,
    )
    windows = day_windows("created_calls", *MONDAY)
    assert fewer.states == {"complete"}
    assert fewer.ids == read(dict(sandbox.environment), "twin", windows).ids


@pytest.mark.soak
def test_without_its_date_a_twin_price_stands_for_the_bill_and_is_final_in_time(
    tmp_path: Path, scripted: VendorServer
) -> None:
    scripted.always = refusing(TWIN, twin.FEWER_FIELDS)
    built = house(tmp_path, scripted_environment(scripted.url))
    costs = (
        "select vendor_call_id, cost_total, cost_telephony, cost_status, is_settled "
        "from fact_calls order by 1"
    )
    built.night("twin", EVENING)
    price = (Decimal("21.81"), Decimal(4))
    assert built.query(costs) == [
        ("t1", *price, "pending", False),
        ("t2", None, None, "pending", False),
    ]
    built.build(EVENING + 8 * DAY)
    assert built.query(costs) == [
        ("t1", *price, "final", True),
        ("t2", None, None, "none", True),
    ]


@pytest.mark.parametrize("most", [10_000, 4_000])
def test_a_twin_list_deeper_than_an_offset_reaches_comes_whole(
    scripted: VendorServer, most: int
) -> None:
    """Its count stops there, and so do offset and limit together."""
    noon = read_time("2026-03-01T12:00:00Z")
    calls = [
        {
            "callId": f"t{number}",
            "createdAt": (noon + timedelta(seconds=number)).isoformat(),
        }
        for number in range(most + 500)
    ]

    scripted.always = refusing(calls, twin.FIELDS, most)
    windows = day_windows("created_calls", *FIRST)
    reading = read(scripted_environment(scripted.url), "twin", windows)
    assert reading.states == {"complete"}
    assert len(reading.ids) == most + 500


ERASED = "12025550102"
TWIN = [
    {
        "callId": "t1",
        "number": "12025550101",
        "callingNumber": ERASED,
        "createdAt": "2026-03-01T09:14:58",
        "startedAt": "2026-03-01T09:15:02",
        "finishedAt": "2026-03-01T09:18:07+00:00",
        "updatedAt": "2026-03-01T09:18:41+00:00",
        "billedAt": "2026-03-01T09:18:40+00:00",
        "status": "ANSWERED",
        "duration": 185,
        "mainCallDuration": 185,
        "mainCallTotalCost": 4.00,
        "totalCost": 21.81,
        "depersonalized": False,
    },
    {
        "callId": "t2",
        "number": "12025550101",
        "callingNumber": "12025550103",
        "createdAt": "2026-03-01T10:00:00+03:00",
        "startedAt": "2026-03-01T10:00:01+03:00",
        "status": "ANSWERED",
        "duration": 61,
        "totalCost": 0,
        "mainCallTotalCost": 0,
        "depersonalized": False,
    },
]


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give two nights of TWIN; in the second a call has been depersonalised."""
    with scripted_house(tmp_path_factory, "twin") as (vendor, built):
        vendor.always = listed("twin", TWIN)
        assert built.night("twin", EVENING).errors == ()
        assert found(built, ERASED) == {"fact_calls", "fact_call_legs"}
        # Some vendors flag first and wipe later: the flag alone must do.
        wiped = {**TWIN[0], "depersonalized": True, "messagesAsString": None}
        vendor.always = listed("twin", [wiped, TWIN[1]])
        assert built.night("twin", EVENING + DAY / 24).errors == ()
        yield built


@pytest.mark.soak
def test_what_twin_has_depersonalised_is_blank_wherever_analysts_look(
    billed: House,
) -> None:
    assert found(billed, ERASED) == set()
    assert billed.query(
        "select is_erased, customer_number, cost_total, total_seconds from fact_calls "
        "where vendor_call_id = 't1'"
    ) == [(True, None, Decimal("21.81"), Decimal(185))]
    assert found(billed, "12025550103") == {"fact_calls"}, "the other call keeps its"
    versions = payloads(billed, "twin", "calls", "t1")
    assert [ERASED in payload for payload in versions] == [False, False]
    assert '"totalCost":21.81,' in versions[0], "what it cost is history as it came"
    changes = "select field, old, new from ops.call_changes where call_key like '%t1'"
    assert billed.query(changes) == [("depersonalized", "false", "true")]


@pytest.mark.soak
@pytest.mark.parametrize(
    "count",
    [
        8,
        # More than the memory that DuckDB gets for a package of small records.
        pytest.param(28, marks=pytest.mark.soak),
    ],
)
def test_many_large_calls_that_twin_erases_at_once_are_erased_in_every_version(
    tmp_path: Path, scripted: VendorServer, count: int
) -> None:
    """One load then replaces far more than what came."""
    built = house(tmp_path, scripted_environment(scripted.url))

    def calls(number: int, *, erased: bool) -> list[Row]:
        at = f"2026-03-01T09:{20 + number}:00+00:00"
        text = None if erased else f"{ERASED} {number} " + "x" * 1_000_000
        changed = {"updatedAt": at, "messagesAsString": text, "depersonalized": erased}
        return [{**TWIN[0], **changed, "callId": f"c{one}"} for one in range(count)]

    for number in range(4):
        scripted.always = listed("twin", calls(number, erased=number == 3))
        assert built.load("twin", EVENING + number * DAY / 24).errors == ()
    versions = payloads(built, "twin", "calls", "c7")
    assert len(versions) == 4
    assert not any(ERASED in one for one in versions)


@pytest.mark.soak
def test_a_twin_call_that_lost_its_times_with_its_number_is_erased_for_good(
    tmp_path: Path, scripted: VendorServer
) -> None:
    """It is shown in one list of changes only, five days later."""
    built = house(tmp_path, scripted_environment(scripted.url))
    scripted.always = listed("twin", TWIN)
    assert built.load("twin", EVENING).errors == ()
    later = "2026-03-06T12:00:00+00:00"
    wiped = {**TWIN[0], "depersonalized": True, "callingNumber": None}
    by_stream = {
        "createdAt": (TWIN[1]["createdAt"], [TWIN[1]]),
        "billedAt": (later, []),
        "updatedAt": (later, [{**wiped, "updatedAt": later, "billedAt": None}]),
    }

    def answer(path: str, body: bytes) -> Answer:
        form = dict(parse_qsl(urlsplit(path).query))
        when, records = by_stream.get(form.get("dateField", ""), ("", []))
        is_then = form.get("from", "") < when < form.get("to", "")
        return listed("twin", records if is_then else [])(path, body)

    erased = (
        "select is_erased, customer_number, cost_total, cost_status from fact_calls "
        "where vendor_call_id = 't1'"
    )
    scripted.always = answer
    assert built.night("twin", EVENING + 5 * DAY).errors == ()
    assert built.query(erased)[0][:3] == (True, None, Decimal("21.81"))
    assert found(built, ERASED) == set()
    # A copy of before comes once more, from a list that is behind.
    scripted.always = listed("twin", [{**TWIN[0], "updatedAt": later}])
    built.night("twin", EVENING + 5 * DAY + DAY / 24)
    assert built.query(erased)[0][:2] == (True, None)
    assert found(built, ERASED) == set()
    versions = payloads(built, "twin", "calls", "t1")
    assert versions
    assert not any(ERASED in one for one in versions)
    built.load("twin", EVENING + 5 * DAY + DAY / 12)
    assert payloads(built, "twin", "calls", "t1") == versions, "no new version of it"


def test_a_copy_without_a_time_of_change_is_as_new_as_when_it_came(
    scripted: VendorServer,
) -> None:
    wiped = {**TWIN[0], "updatedAt": None, "depersonalized": True}
    scripted.always = listed("twin", [TWIN[0], wiped])
    windows = day_windows("created_calls", *FIRST)
    reading = read(scripted_environment(scripted.url), "twin", windows)
    assert [json.loads(row["payload"]) for row in reading.records] == [wiped]


def test_a_twin_token_may_have_another_name_and_companies_are_asked_for_one_by_one(
    scripted: VendorServer,
) -> None:
    scripted.answers = [said(authToken="t-2"), listing("twin", [])]
    windows = day_windows("created_calls", *FIRST)
    environment = scripted_environment(scripted.url)
    reading = read(environment, "twin", windows, company_ids="17, 18")
    assert reading.states == {"complete"}
    assert scripted.got[1][2]["authorization"] == "Bearer t-2"
    asked = parse_qsl(urlsplit(scripted.got[1][1]).query)
    assert [value for name, value in asked if name == "companyIds[]"] == ["17", "18"]


def test_a_twin_call_that_is_not_billed_costs_nothing_known_rather_than_zero(
    billed: House,
) -> None:
    assert billed.query(
        "select vendor_call_id, cost_total, currency, cost_unallocated, cost_status "
        "from fact_calls order by 1"
    ) == [
        ("t1", Decimal("21.81"), "RUB", Decimal("17.81"), "final"),
        ("t2", None, None, None, "pending"),
    ]


@pytest.mark.soak
def test_a_twin_call_that_is_never_billed_settles_and_a_later_bill_still_counts(
    tmp_path: Path, scripted: VendorServer
) -> None:
    built = house(tmp_path, scripted_environment(scripted.url))
    unbilled = {**TWIN[1], "updatedAt": "2026-03-01T08:00:00", "billedAt": None}
    scripted.always = listed("twin", [unbilled])
    built.night("twin", EVENING)
    costs = "select cost_total, cost_status, is_settled from fact_calls"
    assert built.query(costs) == [(None, "pending", False)]
    built.build(EVENING + 8 * DAY)
    assert built.query(costs) == [(None, "none", True)]
    bill = {"billedAt": "2026-03-09T08:00:00", "totalCost": 5, "mainCallTotalCost": 5}
    calls = [{**unbilled, **bill}]

    def answer(path: str, body: bytes) -> Answer:
        is_bill = "dateField=billedAt" in path and "from=2026-03-08T23" in path
        return listed("twin", calls if is_bill else [])(path, body)

    scripted.always = answer
    built.night("twin", EVENING + 9 * DAY)
    assert built.query(costs) == [(Decimal(5), "final", True)]


def test_a_twin_time_without_a_zone_is_utc_and_one_with_a_zone_is_its_own(
    billed: House,
) -> None:
    assert billed.query(
        "select started_at from fact_calls order by vendor_call_id"
    ) == [
        (read_time("2026-03-01T09:15:02Z"),),
        (read_time("2026-03-01T07:00:01Z"),),
    ]
