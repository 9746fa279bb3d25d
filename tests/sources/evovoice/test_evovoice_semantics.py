"""What is surprising in EvoVoice's API, over real HTTP."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from reading import (
    EVENING,
    FIRST,
    MONDAY,
    NOW,
    days,
    found,
    house,
    ids_in,
    listed,
    listing,
    read,
    said,
    scripted_environment,
)
from sandbox_control import asked_of, control, stamp
from vendor_server import Answer, VendorServer

from pipelines.planning.planner import plan
from pipelines.planning.windows import DAY, day_windows, read_time
from pipelines.sandbox.process import Sandbox
from pipelines.sources import evovoice


@pytest.mark.parametrize("later", [0, 1, 2])
def test_no_evovoice_session_is_lost_while_it_moves_to_the_archive(
    world: Sandbox, later: int
) -> None:
    """Three nights in a row, each as a first load of what is 12 to 20 days old."""
    now = NOW + later * DAY
    control(world, "clock", now=stamp(now))
    since, until = now.replace(hour=0) - 20 * DAY, now.replace(hour=0) - 12 * DAY
    windows = [
        window
        for stream in evovoice.STREAMS[:2]
        for window in plan(stream, since, now, [])
        if since <= window.start < until
    ]
    environment = dict(world.environment)
    both = read(environment, "evovoice", windows, now)
    known = ids_in(world, "evovoice", since, until)
    assert known - both.ids == set()
    for stream in evovoice.STREAMS[:2]:
        own = [window for window in windows if window.stream == stream.name]
        assert known - read(environment, "evovoice", own, now).ids, "one is not enough"


def test_an_evovoice_session_that_moves_in_mid_run_is_seen(
    scripted: VendorServer,
) -> None:
    """It leaves the live list for the archive as soon as anything was asked."""
    moving = {"id": "e1", "dateCreated": "2026-03-01T10:00:00Z", "accountId": "a-1"}
    archived: list[bool] = []

    def answer(path: str, _: bytes) -> Answer:
        asks_archive = "SearchArchive=true" in path
        is_archived = bool(archived)
        archived.append(True)
        return listing("evovoice", [moving] if asks_archive == is_archived else [])

    scripted.always = answer
    environment = scripted_environment(scripted.url)
    asked = [one for one in days("evovoice", *FIRST) if one.stream != "accounts"]
    reading = read(environment, "evovoice", reversed(asked))
    assert reading.ids == {"e1"}


def test_an_evovoice_cookie_is_taken_once_and_again_when_it_is_refused(
    world: Sandbox,
) -> None:
    environment = {**world.environment, "CALLHOUSE__SOURCES__EVOVOICE__LOGIN": "cookie"}
    sign_in = "/evovoice/auth/credentials"
    before = asked_of(world)[sign_in]
    control(world, "faults", vendor="evovoice", kind="expire_token", after=3)
    reading = read(environment, "evovoice", days("evovoice", *MONDAY))
    since, until = (read_time(end, "UTC") for end in MONDAY)
    assert reading.ids >= ids_in(world, "evovoice", since, until)
    assert reading.states == {"complete"}
    assert asked_of(world)[sign_in] - before == 2


def test_a_wrong_evovoice_password_is_told_with_a_cookie_too(sandbox: Sandbox) -> None:
    wrong: dict[str, Any] = {"login": "cookie", "password": "canary-wrong"}
    windows = days("evovoice", *MONDAY)
    reading = read(dict(sandbox.environment), "evovoice", windows, **wrong)
    assert len(reading.ledger) == 1, "nobody asks on with a wrong credential"
    assert "check the credentials" in reading.ledger[0]["error"]
    assert "canary" not in reading.ledger[0]["error"]


def test_what_an_evovoice_account_pays_by_the_month_stands_beside_its_calls(
    tmp_path: Path, scripted: VendorServer
) -> None:
    prices = {
        "base": {"baseCost": 49.0},
        "inboundVoiceCalls": {"baseCost": 3, "unitCost": 0.02, "allowance": 5},
        "outboundVoiceCalls": {"unitCost": 0.03, "rawUnitMultiplier": 2},
    }
    sessions: list[dict[str, Any]] = [
        {
            "id": f"e{number}",
            "accountId": "a-1",
            "channel": "Voice",
            "direction": direction,
            "dateCreated": f"2026-03-01T1{number}:00:00Z",
            "dateCompleted": f"2026-03-01T1{number}:04:00Z",
            "ended": True,
        }
        for number, direction in enumerate(["Incoming", "Incoming", "Outgoing"])
    ]

    def answer(path: str, body: bytes) -> Answer:
        if path.startswith("/accounts/"):
            return said(id="a-1", billingSettings=prices)
        found = [] if "StartDate=2026-03-02" in path else sessions
        return listed("evovoice", found)(path, body)

    months = (
        "select month::varchar, item, base_cost, allowance, calls, minutes, "
        "billable_units, usage_cost from monthly_account_usage order by 1, 2"
    )
    base = ("base", Decimal(49), None, None, None, None, None)
    incoming = ("inboundVoiceCalls", Decimal(3), Decimal(5))
    outgoing = ("outboundVoiceCalls", None, Decimal(0))
    used = [
        ("2026-03-01", *base),
        ("2026-03-01", *incoming, 2, 8, 3, Decimal("0.06")),
        ("2026-03-01", *outgoing, 1, 4, 8, Decimal("0.24")),
    ]
    scripted.always = answer
    built = house(tmp_path, scripted_environment(scripted.url))
    assert built.night("evovoice", EVENING).errors == ()
    assert built.query(months) == used
    whole = "select sum(cost_total) from fact_calls"
    assert built.query(whole) == [(Decimal("0.30"),)]
    # A night that computes no call again leaves them as they are.
    assert built.night("evovoice", EVENING + DAY / 24).errors == ()
    assert built.query(months) == used
    built.build(EVENING + 31 * DAY)
    assert built.query(months)[3:] == [
        ("2026-04-01", *base),
        ("2026-04-01", *incoming, 0, 0, 0, 0),
        ("2026-04-01", *outgoing, 0, 0, 0, 0),
    ]


def test_an_empty_evovoice_page_is_the_last_though_more_are_promised(
    scripted: VendorServer,
) -> None:
    scripted.always = lambda *_: listing("evovoice", [], hasMorePages=True)
    windows = day_windows("sessions", *FIRST)
    reading = read(scripted_environment(scripted.url), "evovoice", windows)
    assert [(row["state"], row["requests"]) for row in reading.ledger] == [
        ("complete", 1)
    ]
    short = listing("evovoice", [], hasMorePages=True, totalCount=3)
    scripted.always = lambda *_: short
    reading = read(scripted_environment(scripted.url), "evovoice", windows)
    assert reading.states == {"partial"}


@pytest.mark.soak
def test_what_evovoice_logged_of_a_session_is_in_no_published_table(
    tmp_path: Path, scripted: VendorServer
) -> None:
    canary = "a word that a caller said"
    session = {
        "id": "e1",
        "accountId": "a-1",
        "channel": "Voice",
        "direction": "Incoming",
        "fromAddress": "+15550100102",
        "toAddress": "+15550100101",
        "dateCreated": "2026-03-01T10:00:00Z",
        "dateCompleted": "2026-03-01T10:01:00Z",
        "ended": True,
        "log": [{"text": canary}],
        "consoleData": {"notes": canary},
    }
    scripted.always = listed("evovoice", [session])
    built = house(tmp_path, scripted_environment(scripted.url))
    assert built.night("evovoice", EVENING).errors == ()
    assert found(built, "e1") >= {"fact_calls"}
    assert found(built, canary) == set()


def test_evovoice_chats_and_faxes_are_kept_and_are_no_calls(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    start = {"CALLHOUSE__START": "2026-11-15"}
    built = house(tmp_path, dict(sandbox.environment), **start)
    assert built.night("evovoice", NOW).errors == ()
    channels = dict(
        built.raw(
            "evovoice",
            "select payload ->> 'channel', count(distinct record_id) from raw.sessions "
            "group by 1",
        )
    )
    assert channels.pop("Chat") > 0 < channels.pop("Fax")
    # A channel that nobody knows is no reason to drop a call.
    assert channels["Voice"] > 0
    assert built.query("select count(*) from fact_calls") == [(sum(channels.values()),)]
