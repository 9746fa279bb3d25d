"""What is surprising in Voximplant's API, over real HTTP."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qsl

import pytest
from conftest import Row
from reading import (
    EVENING,
    FIRST,
    MONDAY,
    House,
    days,
    listed,
    listing,
    read,
    said,
    scripted_environment,
    scripted_house,
    unknown,
)
from sandbox_control import control
from vendor_server import Answer, VendorServer

from pipelines.planning.windows import DAY, read_time
from pipelines.sandbox.process import Sandbox

AT_ONCE = {"Retry-After": "0"}


def test_an_expired_voximplant_token_is_signed_again_once(world: Sandbox) -> None:
    control(world, "faults", vendor="voximplant", kind="expire_token", times=1)
    environment = dict(world.environment)
    reading = read(environment, "voximplant", days("voximplant", *MONDAY))
    assert reading.states == {"complete"}
    control(world, "faults", vendor="voximplant", kind="expire_token", times=2)
    refused = read(environment, "voximplant", days("voximplant", *MONDAY))
    assert refused.ledger[0]["state"] == "failed"
    assert "456" in refused.ledger[0]["error"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b'{"error": {"code": 340, "msg": "Rate limit exceed"}}', 200, AT_ONCE),
        Answer(b'{"error": {"code": 515, "msg": "Too fast"}}', 200, AT_ONCE),
        Answer(b"", 429, AT_ONCE),
        *(
            Answer(b'{"error": {"code": %d, "msg": "Failed"}}' % code, 200, AT_ONCE)
            for code in (1, 2, 4, 5)
        ),
    ],
    ids=["340", "515", "429", "1", "2", "4", "5"],
)
def test_voximplant_is_asked_again_when_it_says_too_many_or_is_at_fault(
    scripted: VendorServer, answer: Answer
) -> None:
    session = {"call_session_history_id": 7, "start_date": "2026-03-01 10:00:00"}
    scripted.answers = [answer, listing("voximplant", [session])]
    environment = scripted_environment(scripted.url)
    asked = [one for one in days("voximplant", *FIRST) if one.stream == "call_sessions"]
    reading = read(environment, "voximplant", asked)
    assert reading.ids == {"7"}
    assert reading.ledger[0]["retries"] == 1


def within_reach(sessions: list[Row]) -> Callable[[str, bytes], Answer]:
    """Answer as the vendor has it: 11,000 rows of one question, and no more."""

    def history(path: str, body: bytes) -> Answer:
        if not path.startswith("/GetCallHistory"):
            return said(result={"account_id": 1, "currency": "RUR"})
        form = dict(parse_qsl(body.decode()))
        offset = int(form["offset"])
        if offset > 10_000:
            return said(error={"code": 101, "msg": "Invalid arguments"})
        found = [
            one
            for one in sessions
            if form["from_date"] <= str(one["start_date"]) <= form["to_date"]
        ]
        page = found[offset : offset + int(form["count"])]
        return listing("voximplant", page, total_count=len(found))

    return history


@pytest.mark.soak
def test_a_voximplant_day_beyond_11_000_sessions_comes_whole_and_is_counted_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    start, day_end = (read_time(end, "UTC") for end in FIRST)
    moments = [start + timedelta(seconds=7 * n) for n in range(12_000)]
    sessions = [
        {"call_session_history_id": number, "start_date": f"{moment:%Y-%m-%d %H:%M:%S}"}
        for number, moment in enumerate(moments, start=1)
    ]
    with scripted_house(tmp_path_factory, "voximplant") as (vendor, built):
        vendor.always = within_reach(sessions)
        outcome = built.night("voximplant", day_end + DAY / 12)
        sent = len(vendor.got)
    assert outcome.errors == ()
    assert built.query("select count(*) from fact_calls") == [(12_000,)]
    day = "where stream = 'call_sessions' and window_start = '2026-03-01T00:00:00Z'"
    total = f"select verdict, vendor_total, rows_distinct from ops.reconciliation {day}"
    assert built.query(total) == [("matched", 12_000, 12_000)]
    counted = "select sum(requests) from ops.load_windows"
    assert built.query(counted) == [(sent,)]
    assert outcome.requests == sent
    parts = built.query(
        "select window_start, window_end, split_of, requests, rows_distinct, "
        "rows_fetched from ops.load_windows where split_of is not null "
        "order by window_start"
    )
    starts, ends, wholes, requests_of, distinct, fetched = zip(*parts, strict=True)
    assert (starts[0], ends[-1]) == (start, day_end)
    assert starts[1:] == ends[:-1]
    assert {*wholes} == {"2026-03-01T00:00Z/2026-03-02T00:00Z"}
    assert {*requests_of, *distinct} == {None}
    assert all(0 < rows <= 11_000 for rows in fetched)
    assert sum(fetched) >= 12_000


def session(number: int, **fields: object) -> Row:
    return {
        "call_session_history_id": number,
        "start_date": "2026-03-01 09:50:02",
        "duration": 41,
        "finish_reason": "Normal termination",
        "log_file_url": f"https://storage.example/logs/{number}.log",
        "calls": [],
        "records": [],
        "other_resource_usage": [],
        **fields,
    }


def call(number: int, **fields: object) -> Row:
    return {
        "call_id": number,
        "start_time": f"2026-03-01 09:50:{number:02d}",
        "duration": 29,
        "local_number": "12025550100",
        "remote_number": "12025550101",
        "remote_number_type": "pstn",
        "incoming": True,
        "successful": True,
        "transaction_id": 100 + number,
        "cost": 0.0058,
        "end_reason": {"code": 200, "details": "Normal call clearing"},
        **fields,
    }


def agent(number: int, code: int) -> Row:
    party = {"remote_number": "agent1", "remote_number_type": "user"}
    failed = {"incoming": False, "successful": False, "duration": 0, "cost": 0}
    return call(number, **party, **failed, end_reason={"code": code, "details": ""})


RECORD = {
    "record_id": 77,
    "cost": 0.002,
    "transaction_id": 112,
    "start_time": "2026-03-01 09:50:03",
    "duration": 28,
    "record_url": "https://storage.example/rec/77.mp3",
    "transcription_status": "Complete",
}
VOXIMPLANT = [
    session(
        1,
        calls=[call(2, cost="0.0058"), agent(8, 480), agent(9, 603)],
        records=[RECORD],
        other_resource_usage=[
            {
                "resource_usage_id": 88,
                "resource_type": "TRANSCRIPTION",
                "cost": 0.002,
                "transaction_id": 112,  # the record's own charge, told twice
                "used_at": "2026-03-01 09:50:40",
            }
        ],
    ),
    session(2, user_id=5),
    session(
        3, duration=None, finish_reason=None, calls=[call(2, duration=None, cost=None)]
    ),
    session(
        4,
        calls=[
            call(
                2,
                incoming=False,
                remote_number="sip:desk@pbx.example.com",
                remote_number_type="sip",
                start_time="",
            )
        ],
    ),
]


@pytest.fixture(scope="module")
def voximplant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give two nights; in the second the addresses of log and recording are gone."""
    with scripted_house(tmp_path_factory, "voximplant") as (vendor, built):
        vendor.always = listed("voximplant", VOXIMPLANT)
        assert built.night("voximplant", EVENING).errors == ()
        silent = {**RECORD, "record_url": None}
        cleared = {**VOXIMPLANT[0], "log_file_url": None, "records": [silent]}
        vendor.always = listed("voximplant", [cleared, *VOXIMPLANT[1:]])
        assert built.night("voximplant", EVENING + DAY / 24).changed == 1
        yield built


@pytest.mark.soak
def test_an_address_that_voximplant_clears_stays_in_the_older_version(
    voximplant: House,
) -> None:
    assert voximplant.raw(
        "voximplant",
        "select payload ->> 'log_file_url', payload ->> '$.records[0].record_url' "
        "from raw.call_sessions where record_id = '1' order by fetched_at",
    ) == [
        ("https://storage.example/logs/1.log", "https://storage.example/rec/77.mp3"),
        (None, None),
    ]


def test_a_voximplant_session_costs_its_transactions_once_in_roubles(
    voximplant: House,
) -> None:
    assert voximplant.query(
        "select cost_total, currency, cost_source from fact_calls "
        "where vendor_call_id = '1'"
    ) == [(Decimal("0.0078"), "RUB", "summed")]


def test_answered_by_the_voximplant_platform_is_not_answered_by_a_person(
    voximplant: House,
) -> None:
    assert voximplant.query(
        "select direction, outcome = 'answered', is_answered, customer_number, "
        "business_number, leg_count from fact_calls where vendor_call_id = '1'"
    ) == [("inbound", False, False, "+12025550101", "+12025550100", 3)]


def test_a_voximplant_session_without_legs_is_a_call_without_cost(
    voximplant: House,
) -> None:
    assert voximplant.query(
        "select direction, total_seconds, cost_total from fact_calls "
        "where vendor_call_id = '2'"
    ) == [("unknown", Decimal(41), None)]


def test_a_voximplant_session_that_runs_is_open(voximplant: House) -> None:
    assert voximplant.query(
        "select outcome, total_seconds, cost_total, cost_status, is_settled "
        "from fact_calls where vendor_call_id = '3'"
    ) == [("in_progress", None, None, "pending", False)]


def test_the_voximplant_side_of_a_number_follows_from_the_direction(
    voximplant: House,
) -> None:
    assert voximplant.query(
        "select direction, customer_number, customer_number_kind, business_number "
        "from fact_calls where vendor_call_id = '4'"
    ) == [("outbound", None, "sip", "+12025550100")]
    assert unknown(voximplant) == set()
