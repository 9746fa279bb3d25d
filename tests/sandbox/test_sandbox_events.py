"""What can be made to happen at the sandbox's vendors: lists, truth and records agree.

Read over HTTP by the client of test_sandbox, which is written from the vendors'
documents.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests
from conftest import VENDORS
from test_sandbox import KEYS, TWIN_FIELDS, Client

from pipelines.sandbox.process import running_sandbox

NOW = datetime(2026, 3, 24, 3, tzinfo=UTC)
DAY = "2026-03-19"
EARLIER = "2026-03-18"
DATED = {"evovoice": "dateLastModified", "twin": "updatedAt", "whippy": "updated_at"}
TOTALS = {
    "zoom": "total_records",
    "voximplant": "total_count",
    "evovoice": "totalCount",
    "twin": "count",
    "whippy": "total",
}


@pytest.fixture(scope="module")
def started() -> Iterator[Client]:
    with running_sandbox(NOW, volume=25) as sandbox, requests.Session() as http:
        yield Client(sandbox.url, dict(sandbox.environment), http)


@pytest.fixture
def client(started: Client) -> Iterator[Client]:
    yield started
    for name in ("faults", "changes"):
        started.control("DELETE", name)
    started.set_clock(NOW.isoformat())
    for vendor in VENDORS:
        started.control("POST", "date_header", {"vendor": vendor})
    started.zoom_token = started.twin_token = ""


TOKENS: dict[str, str] = {}


def voximplant_token(client: Client) -> str:
    """Sign a token once: it lives longer than these tests."""
    if client.url not in TOKENS:
        TOKENS[client.url] = client.voximplant_token()
    return TOKENS[client.url]


def page(client: Client, vendor: str, day: str = DAY) -> requests.Response:
    """Return all of a UTC day in one page, or as much as a page may have."""
    start = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    end = start + timedelta(days=1) - timedelta(seconds=1)
    bounds = {"from": start.isoformat(), "to": end.isoformat()}
    if vendor == "zoom":
        return client.zoom(**bounds, page_size=100)
    if vendor == "evovoice":
        own = client.of("EVOVOICE", "ACCOUNT_IDS")
        days = {"startDate": day, "endDate": day, "AccountIds": own}
        return client.evovoice(**days, CountPerPage=500)
    if vendor == "twin":
        bounds["from"] = (start - timedelta(seconds=1)).isoformat()
        bounds["to"] = (start + timedelta(days=1)).isoformat()
        return client.twin(**bounds, fields=TWIN_FIELDS, limit=1000)
    if vendor == "whippy":
        before = (start - timedelta(microseconds=1)).isoformat()
        after = (start + timedelta(days=1)).isoformat()
        return client.whippy(body={"after": before, "before": after}, limit=100)
    return client.http.post(
        f"{client.of('VOXIMPLANT', 'BASE_URL', None)}/GetCallHistory",
        data={
            "from_date": f"{start:%Y-%m-%d %H:%M:%S}",
            "to_date": f"{end:%Y-%m-%d %H:%M:%S}",
            "timezone": "Etc/GMT",
            "count": 1000,
        },
        headers={"Authorization": f"Bearer {voximplant_token(client)}"},
    )


def listed(client: Client, vendor: str, day: str = DAY) -> dict[str, dict[str, Any]]:
    """Return the records of a day by id."""
    records, name, _ = KEYS[vendor]
    body = page(client, vendor, day).json()
    assert body[TOTALS[vendor]] == len(body[records])
    return {str(record[name]): record for record in body[records]}


def truth(client: Client, vendor: str, day: str = DAY) -> dict[str, dict[str, Any]]:
    until = datetime.fromisoformat(day) + timedelta(days=1)
    rows = client.truth(vendor, day, until.isoformat())
    return {row["vendor_call_id"]: row for row in rows}


def calls(client: Client, vendor: str, day: str = DAY) -> dict[str, dict[str, Any]]:
    """Return the records of a day that are calls, after comparing them with truth."""
    found, known = listed(client, vendor, day), truth(client, vendor, day)
    if vendor == "evovoice":
        other = {i for i, record in found.items() if record["channel"] != "Voice"}
        found = {name: found[name] for name in found.keys() - other}
        known = {name: known[name] for name in known.keys() - other}
    assert found.keys() == known.keys()
    return found


def change(client: Client, name: str, vendor: str, **said: object) -> None:
    client.control("POST", name, {"vendor": vendor, **said})


# --- calls ----------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_blank_vendor_lists_nothing_and_its_truth_stays(
    client: Client, vendor: str
) -> None:
    before, known = listed(client, vendor), truth(client, vendor)
    client.control("POST", "blank", {"vendors": [vendor]})
    body = page(client, vendor).json()
    assert (body[KEYS[vendor][0]], body[TOTALS[vendor]]) == ([], 0)
    assert truth(client, vendor) == known
    for other in set(VENDORS) - {vendor}:
        assert listed(client, other)
    client.control("POST", "blank", {"vendors": [vendor], "blank": False})
    assert listed(client, vendor) == before


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_is_blank_on_the_days_asked_for_alone(
    client: Client, vendor: str
) -> None:
    before = listed(client, vendor, EARLIER)
    client.control("POST", "blank", {"vendors": [vendor], "days": [DAY]})
    assert listed(client, vendor) == {}
    assert listed(client, vendor, EARLIER) == before
    client.control("POST", "blank", {"vendors": [vendor], "blank": False})
    assert listed(client, vendor)


@pytest.mark.parametrize("day", [DAY, EARLIER, "2026-03-20"])
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_call_moves_and_moves_back(client: Client, vendor: str, day: str) -> None:
    moment = KEYS[vendor][2]
    before, elsewhere = calls(client, vendor), calls(client, vendor, day)
    name = min(before)
    known = truth(client, vendor)[name]
    change(client, "moved", vendor, ids=[name], start=f"{day}T04:05:06Z")
    after = calls(client, vendor, day)
    assert set(after) == {*elsewhere, name}
    assert (name in calls(client, vendor)) == (day == DAY)
    moved = truth(client, vendor, day)[name]
    assert moved["event_at"] == f"{day}T04:05:06Z"
    same = ("direction", "total_seconds", "cost", "legs", "vendor_outcome")
    if vendor == "evovoice":  # what it costs depends on what came before it
        same = (*same[:2], *same[3:])
    assert [moved[key] for key in same] == [known[key] for key in same]
    assert after[name][moment] != before[name][moment]
    if vendor in DATED:
        assert after[name][DATED[vendor]] != before[name][DATED[vendor]]

    change(client, "moved", vendor, ids=[name], noted=False)
    assert calls(client, vendor) == before
    assert calls(client, vendor, day) == elsewhere


@pytest.mark.parametrize("vendor", DATED)
def test_a_correction_is_noted_in_the_time_of_change(
    client: Client, vendor: str
) -> None:
    before = calls(client, vendor)
    name = min(before)
    client.set_clock("2026-03-24T05:00:00Z")
    change(client, "moved", vendor, ids=[name])
    after = calls(client, vendor)
    assert {one for one in after if after[one] != before[one]} == {name}
    rest = after[name] | {DATED[vendor]: before[name][DATED[vendor]]}
    assert rest == before[name]


@pytest.mark.parametrize("vendor", DATED)
def test_a_time_of_change_does_not_go_back_by_a_correction_that_is_not_noted(
    client: Client, vendor: str
) -> None:
    name = min(calls(client, vendor))
    client.set_clock("2026-03-24T05:00:00Z")
    start = {"ids": [name], "start": f"{DAY}T04:05:06Z"}
    change(client, "moved", vendor, **start)
    noted = calls(client, vendor)[name][DATED[vendor]]
    change(
        client, "moved", vendor, **start | {"start": f"{DAY}T04:05:07Z"}, noted=False
    )
    again = calls(client, vendor)[name]
    assert again[DATED[vendor]] == noted
    assert "04:05:07" in str(again)


def test_twin_lists_a_correction_among_the_changes_however_old_the_call(
    client: Client,
) -> None:
    name = min(calls(client, "twin", "2026-03-02"))
    client.set_clock("2026-03-24T05:00:00Z")
    change(client, "moved", "twin", ids=[name], start="2026-03-03T10:00:00Z")
    window = {"from": "2026-03-24T04:59:00+00:00", "to": "2026-03-24T05:01:00+00:00"}
    items = client.twin(**window, periodField="updatedAt", fields="callId", limit=9)
    assert name in [one["callId"] for one in items.json()["items"]]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_call_is_deleted_and_restored_at_its_own_vendor(
    client: Client, vendor: str
) -> None:
    before = calls(client, vendor)
    gone = sorted(before)[::2]
    other = next(one for one in VENDORS if one != vendor)
    change(client, "removed", other, ids=gone)
    assert calls(client, vendor) == before
    change(client, "removed", vendor, ids=gone)
    assert set(calls(client, vendor)) == set(before) - set(gone)
    change(client, "removed", vendor, ids=gone, removed=False)
    assert calls(client, vendor) == before


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_call_may_be_listed_days_late(client: Client, vendor: str) -> None:
    before = calls(client, vendor)
    late = min(before)
    change(client, "late", vendor, ids=[late], days=6)
    assert set(calls(client, vendor)) == set(before) - {late}
    client.set_clock("2026-03-26T03:00:00Z")
    assert set(calls(client, vendor)) == set(before)


@pytest.mark.parametrize("vendor", DATED)
def test_a_record_may_lose_its_time_of_change(client: Client, vendor: str) -> None:
    before = calls(client, vendor)
    name = min(before)
    change(client, "undated", vendor, ids=[name])
    after = calls(client, vendor)
    key = DATED[vendor]
    assert {one for one in after if after[one] != before[one]} == {name}
    assert after[name].get(key) is None
    assert after[name] | {key: before[name][key]} == before[name]
    change(client, "undated", vendor, ids=[name], undated=False)
    assert calls(client, vendor) == before


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("undated", {"vendor": "zoom", "ids": ["x"]}),
        ("moved", {"vendor": "twin", "ids": ["x"]}),
        ("moved", {"vendor": "whippy", "ids": [], "begin": DAY}),
        ("removed", {"vendor": "zooom", "ids": ["x"]}),
        ("faults", {"vendor": "whippy", "kind": "sign_in_down"}),
        ("faults", {"vendor": "zoom", "kind": "warnings"}),
    ],
)
def test_what_makes_no_sense_is_refused(
    client: Client, name: str, said: dict[str, object]
) -> None:
    answer = client.http.post(f"{client.url}/_sandbox/{name}", json=said)
    assert answer.status_code == 400, answer.text


def test_a_call_does_not_move_past_the_clock(client: Client) -> None:
    said = {"vendor": "whippy", "ids": [min(calls(client, "whippy"))]}
    later = said | {"start": "2026-03-25T00:00:00Z"}
    answer = client.http.post(f"{client.url}/_sandbox/moved", json=later)
    assert answer.status_code == 400


# --- answers --------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_total_may_count_more_than_is_listed_until_healed(
    client: Client, vendor: str
) -> None:
    records, *_ = KEYS[vendor]
    client.arm(vendor, "inexact_total", times=None, more=3)
    for day in (DAY, EARLIER):
        body = page(client, vendor, day).json()
        assert body[TOTALS[vendor]] == len(body[records]) + 3
    client.control("DELETE", "faults")
    assert listed(client, vendor)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_stale_total_is_the_one_of_the_reading_before(
    client: Client, vendor: str
) -> None:
    before = calls(client, vendor)
    count = len(listed(client, vendor))
    change(client, "removed", vendor, ids=sorted(before)[:2])
    client.arm(vendor, "stale_total")
    body = page(client, vendor).json()
    assert (body[TOTALS[vendor]], len(body[KEYS[vendor][0]])) == (count, count - 2)
    assert len(listed(client, vendor)) == count - 2


def test_a_zoom_page_token_may_expire_within_its_window(client: Client) -> None:
    window = {"from": f"{DAY}T00:00:00+00:00", "to": "2026-03-20T00:00:00+00:00"}
    asked = {**window, "page_size": "5"}
    client.arm("zoom", "expire_page_token")
    first = client.zoom(**asked).json()["next_page_token"]
    refused = client.zoom(**asked, next_page_token=first)
    assert (refused.status_code, refused.json()["code"]) == (400, 300)
    assert client.zoom(**asked, next_page_token=first).status_code == 400
    again = client.zoom(**asked).json()["next_page_token"]
    assert client.zoom(**asked, next_page_token=again).status_code == 200


def test_a_sign_in_endpoint_may_be_down(client: Client) -> None:
    for vendor in ("zoom", "evovoice", "twin"):
        client.arm(vendor, "sign_in_down", times=None, status=503)
    login = client.of("TWIN", "LOGIN_URL", None)
    cookies = client.of("EVOVOICE", "BASE_URL", None) + "/auth/credentials"
    for _ in range(3):
        assert client.sign_in_zoom().status_code == 503
        assert client.http.post(login, json={}).status_code == 503
        assert client.http.post(cookies, json={}).status_code == 503
    assert client.evovoice(startDate=DAY, endDate=DAY).status_code == 200
    client.control("DELETE", "faults")
    assert client.sign_in_zoom().status_code == 200


def test_another_program_ends_the_token_again_and_again(client: Client) -> None:
    client.sign_in_zoom()
    client.arm("zoom", "another_program", times=None, after=2, every=2)
    seen = []
    for _ in range(6):
        answer = page(client, "zoom")
        seen.append(answer.status_code)
        if answer.status_code == 401:
            assert answer.json()["code"] == 124
            client.sign_in_zoom()
    assert seen == [200, 200, 401, 200, 200, 401]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_cached_answer_belongs_to_another_window(client: Client, vendor: str) -> None:
    other, own = listed(client, vendor, EARLIER), listed(client, vendor)
    assert listed(client, vendor) == own
    client.arm(vendor, "cached_answer")
    assert listed(client, vendor) == other
    assert listed(client, vendor) == own


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_error_may_stand_beside_the_data(client: Client, vendor: str) -> None:
    good = listed(client, vendor)
    for kind, key in (("error_beside", "error"), ("errors_beside", "errors")):
        client.arm(vendor, kind)
        answer = page(client, vendor)
        assert answer.status_code == 200
        assert answer.json()[key]
        assert len(answer.json()[KEYS[vendor][0]]) == len(good)
    client.arm("voximplant", "warnings")
    assert page(client, "voximplant").json()["warnings"]
    assert "warnings" not in page(client, "voximplant").json()


@pytest.mark.parametrize("vendor", VENDORS)
def test_answers_are_dated_by_the_sandboxs_own_clock(
    client: Client, vendor: str
) -> None:
    def dated() -> datetime:
        return parsedate_to_datetime(page(client, vendor).headers["Date"])

    assert dated() == NOW
    client.set_clock("2026-03-25T04:05:06Z")
    assert dated() == datetime(2026, 3, 25, 4, 5, 6, tzinfo=UTC)
    client.arm(vendor, "status", status=503)
    refused = page(client, vendor)
    assert (refused.status_code, "Date" in refused.headers) == (503, True)
    change(client, "date_header", vendor, seconds=-3600)
    assert dated() == datetime(2026, 3, 25, 3, 5, 6, tzinfo=UTC)
    change(client, "date_header", vendor, text="yesterday")
    assert page(client, vendor).headers["Date"] == "yesterday"
    change(client, "date_header", vendor, sent=False)
    assert "Date" not in page(client, vendor).headers
    change(client, "date_header", vendor)
    assert dated() == datetime(2026, 3, 25, 4, 5, 6, tzinfo=UTC)


def test_a_call_that_twin_depersonalised_says_so_and_costs_what_it_did(
    client: Client,
) -> None:
    def records() -> dict[str, dict[str, Any]]:
        fields = "callId,depersonalized,totalCost,updatedAt"
        span = {"from": f"{EARLIER}T23:59:59Z", "to": "2026-03-20T00:00:00Z"}
        items = client.twin(**span, fields=fields, limit=1000).json()["items"]
        return {one["callId"]: one for one in items}

    name, before = next(one for one in records().items() if one[1]["updatedAt"])
    change(client, "erased", "twin", ids=[name])
    after = records()[name]
    assert (before["depersonalized"], after["depersonalized"]) == (False, True)
    assert after["totalCost"] == before["totalCost"]
    assert after["updatedAt"] > before["updatedAt"]


@pytest.mark.parametrize("vendor", ["twin", "whippy"])
def test_a_call_can_be_deleted_between_two_pages(client: Client, vendor: str) -> None:
    name = next(iter(listed(client, vendor)))
    body = {"vendor": vendor, "ids": [name]}
    client.arm(vendor, "later_page", body=body)
    assert name in listed(client, vendor)  # the first page
    later = {"limit": 5, "offset": 5}
    start, end = f"{EARLIER}T23:59:59Z", "2026-03-20T00:00:00Z"
    if vendor == "twin":
        client.twin(**{"from": start, "to": end}, fields=TWIN_FIELDS, **later)
    else:
        client.whippy(body={"after": start, "before": end}, **later)
    assert name not in listed(client, vendor)


def test_a_fault_counts_the_answers_that_it_changed(client: Client) -> None:
    client.arm("whippy", "nul_in_text", times=None)
    assert "a\0b" in {record["note"] for record in listed(client, "whippy").values()}
    (armed,) = client.http.get(f"{client.url}/_sandbox/faults").json()
    assert armed["hits"] == 1
