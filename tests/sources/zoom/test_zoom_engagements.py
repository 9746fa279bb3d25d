"""Zoom's second list: left out where it is not granted, joined where it is."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from conftest import House, open_house
from sandbox_control import stamp

from pipelines.planning.windows import DAY, read_time

NOW = read_time("2026-11-17T03:00:00Z")
SCOPE = "contact_center:read:list_engagements:admin"
PARTS = tuple(
    f"{part}_seconds" for part in ("ivr", "queue", "callback", "talk", "hold", "wrap")
)
HELD = f"""
    select vendor_call_id, {", ".join(PARTS)}, total_seconds, answered_at, direction
    from fact_calls
    order by 1
"""
PAYERS = """
    select
        calls.vendor_call_id,
        list(payers.payer_kind || ' ' || payers.payer_id order by payers.level)
    from bridge_call_payers as payers inner join fact_calls as calls using (call_key)
    group by all
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("engagements")
    with open_house(folder, NOW, days=2, volume=20) as house:
        yield house


def night(
    house: House, now: datetime, command: str = "run", **changed: str
) -> dict[str, Any]:
    house.post("clock", {"now": stamp(now)})
    done = house.run(
        command, "--json", "--vendor", "zoom", "--now", stamp(now), **changed
    )
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)["loaded"]
    assert told["errors"] == []
    assert told["windows"] == told["planned"]
    return dict(told)


def truth(house: House, now: datetime) -> list[tuple[object, ...]]:
    calls = house.truth("zoom", NOW - DAY * 10, now - timedelta(minutes=5))
    held = {row[0] for row in house.query(HELD)}
    return sorted(
        (
            call["vendor_call_id"],
            *(
                None if (text := call["durations"].get(part)) is None else Decimal(text)
                for part in PARTS
            ),
            None if call["total_seconds"] is None else Decimal(call["total_seconds"]),
            read_time(call["answered_at"]) if call["answered_at"] else None,
            call["direction"],
        )
        for call in calls
        if call["vendor_call_id"] in held
    )


@pytest.mark.soak
def test_the_parts_of_calls_come_once_the_scope_is_granted(house: House) -> None:
    told = night(house, NOW)
    (note,) = told["notes"]
    assert "engagements is left out" in note
    assert "does not contain scopes" in note
    assert "or set engagements = false" in note
    assert {row[1:7] for row in house.query(HELD)} == {(None,) * 6}
    status = json.loads(house.run("status", "--json").stdout)
    assert status["windows_open"] == 0

    house.post("scopes", {"scope": SCOPE})
    later = NOW + timedelta(hours=6)
    assert night(house, later)["notes"] == []
    calls = truth(house, later)
    assert house.query(HELD) == calls
    for part in (1, 2, 4, 5, 6):
        column = [row[part] for row in calls]
        assert None in column
        assert any(value is not None and value > 0 for value in column)
    assert any(row[8] for row in calls)
    assert {row[9] for row in calls} == {"inbound", "outbound", "internal"}
    assert dict(house.query(PAYERS)) == {
        call["vendor_call_id"]: [f"{one['kind']} {one['id']}" for one in call["payers"]]
        for call in house.truth("zoom", NOW - DAY * 10, later - timedelta(minutes=5))
        if call["vendor_call_id"] in {row[0] for row in calls}
    }
    facts = "select * from fact_calls order by call_key"
    built = house.query(facts)
    assert night(house, later, "load")["changed"] == 0
    rebuilt = house.run("transform", "--full", "--now", stamp(later))
    assert rebuilt.returncode == 0
    assert house.query(facts) == built

    house.post("scopes", {"scope": SCOPE, "granted": False})
    told = night(house, later + timedelta(hours=6))
    assert len(told["notes"]) == 1
    known = {row[0]: row for row in calls}
    assert [known.get(row[0]) for row in house.query(HELD) if row[0] in known] == calls


def test_engagements_can_be_turned_off(house: House) -> None:
    off = {"CALLHOUSE__SOURCES__ZOOM__ENGAGEMENTS": "false"}
    told = night(house, NOW + 2 * DAY, "load", **off)
    assert told["notes"] == []
    assert told["requests"] == told["windows"]
