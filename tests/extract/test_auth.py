"""Tokens that cannot be had, that another program ends, that end between two pages."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from patience import PATIENCE
from vendor_server import Answer, VendorServer

from pipelines.extract import client as http
from pipelines.extract.auth import BearerToken
from pipelines.extract.client import Client
from pipelines.extract.pagination import RESTARTS
from pipelines.extract.resources import dlt_source
from pipelines.extract.window_reader import ReadOptions
from pipelines.planning.windows import DAY, Window, read_time
from pipelines.sources import connect, streams_of

START = read_time("2026-03-02T00:00:00Z")
AT_ONCE = {"Retry-After": "0"}
SETTINGS: dict[str, dict[str, Any]] = {
    "zoom": {"account_id": "a", "client_id": "c", "client_secret": "s"},
    "twin": {"email": "e", "password": "p"},
    "evovoice": {
        "username": "u",
        "password": "p",
        "account_ids": "1",
        "login": "cookie",
    },
}
SIGN_IN = {"zoom": "/oauth/token", "twin": "/login", "evovoice": "/auth/credentials"}


def read(
    scripted: VendorServer, vendor: str, days: int = 1, **more: object
) -> dict[str, list[dict[str, Any]]]:
    """Read some days of a vendor's first stream, and return the rows by table."""
    settings = {
        **SETTINGS[vendor],
        "base_url": scripted.url,
        "requests_per_second": 1000.0,
        **more,
    }
    if vendor == "zoom":
        settings["token_url"] = f"{scripted.url}{SIGN_IN[vendor]}"
    if vendor == "twin":
        settings["login_url"] = f"{scripted.url}{SIGN_IN[vendor]}"
    stream = streams_of(vendor)[0].name
    windows = [
        Window(START + n * DAY, START + (n + 1) * DAY, stream) for n in range(days)
    ]
    options = ReadOptions(lambda: START + 9 * DAY, keep_going=True)
    source = dlt_source("main", windows, connect(vendor, settings, options), options)
    rows: dict[str, list[dict[str, Any]]] = {"load_windows": [], "records": []}
    for table in source:
        kind = "load_windows" if "state" in table.column_names else "records"
        if "record_no" not in table.column_names:
            rows[kind] += table.to_pylist()
    return rows


def asked(scripted: VendorServer) -> dict[str, int]:
    """Count the requests by path."""
    paths = [urlsplit(path).path for _, path, _, _ in scripted.got]
    return {path: paths.count(path) for path in paths}


@pytest.mark.parametrize("vendor", SETTINGS)
@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("status", [429, 503])
def test_a_sign_in_that_is_down_has_the_attempts_of_one_request_and_ends_its_account(
    scripted: VendorServer, vendor: str, concurrency: int, status: int
) -> None:
    scripted.always = lambda *_: Answer(b"", status, AT_ONCE)
    rows = read(scripted, vendor, days=7, concurrency=concurrency)
    (tried,) = asked(scripted).items()
    assert tried[0] == SIGN_IN[vendor], "nothing else is asked without a token"
    assert tried[1] <= http.ATTEMPTS * concurrency
    (row,) = rows["load_windows"]
    assert row["state"] == "failed"
    assert "cannot sign in" in row["error"]
    assert f"HTTP {status}" in row["error"]
    assert row["requests"] == 0, "a sign-in is none of the quota"


@pytest.mark.parametrize("vendor", SETTINGS)
def test_a_sign_in_that_asks_for_more_patience_than_it_gets_is_given_up_at_once(
    scripted: VendorServer, vendor: str
) -> None:
    longer = {"Retry-After": str(http.SIGN_IN_SECONDS + 1)}
    scripted.always = lambda *_: Answer(b"", 429, longer)
    rows = read(scripted, vendor, days=7)
    assert asked(scripted) == {SIGN_IN[vendor]: 1}
    assert len(rows["load_windows"]) == 1


@pytest.mark.parametrize("vendor", SETTINGS)
@pytest.mark.parametrize("body", [b"{}", b"[]", b"<html>", b"\xff\xfe", b'{"a": 1'])
def test_a_sign_in_that_answers_anything_else_ends_its_account(
    scripted: VendorServer,
    vendor: str,
    body: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "ATTEMPTS", 1)
    scripted.always = lambda *_: Answer(body)
    rows = read(scripted, vendor, days=7)
    assert asked(scripted) == {SIGN_IN[vendor]: 1}
    assert [row["state"] for row in rows["load_windows"]] == ["failed"]


def test_a_sign_in_that_recovers_is_no_error(scripted: VendorServer) -> None:
    scripted.answers += [Answer(b"", 503, AT_ONCE)] * (http.ATTEMPTS - 1)
    scripted.answers += [Answer(b'{"token": "t"}')]
    scripted.answers += [Answer(b'{"items": [], "count": 0}')]
    (row,) = read(scripted, "twin")["load_windows"]
    assert row["state"] == "complete"


@pytest.mark.parametrize("threads", [2, 8])
def test_threads_that_are_refused_together_sign_in_once(
    scripted: VendorServer, threads: int
) -> None:
    """A token that was renewed meanwhile is not the one that was refused."""
    issued: list[str] = []
    together = threading.Barrier(threads, timeout=PATIENCE)

    def issue() -> tuple[str, float]:
        issued.append(f"t{len(issued) + 1}")
        return issued[-1], 3600.0

    def answer(path: str, _: bytes) -> Answer:
        sent = [got[2]["authorization"] for got in scripted.got if got[1] == path][-1]
        if sent == "Bearer t1":
            together.wait()
        is_valid = sent == f"Bearer {issued[-1]}" != "Bearer t1"
        return Answer(b'{"n": 1}') if is_valid else Answer(b"", 401)

    scripted.always = answer
    token = BearerToken(issue)
    client = Client("acme", scripted.url, token, requests_per_second=1000)
    with ThreadPoolExecutor(threads) as pool:
        answers = [
            pool.submit(client.ask, "GET", f"/{number}", dict[str, int])
            for number in range(threads)
        ]
        assert [one.result() for one in answers] == [{"n": 1}] * threads
    assert issued == ["t1", "t2"]


def test_a_token_that_is_refused_as_soon_as_it_is_issued_is_anothers_doing(
    scripted: VendorServer,
) -> None:
    def answer(path: str, _: bytes) -> Answer:
        if path.startswith(SIGN_IN["zoom"]):
            return Answer(b'{"access_token": "t", "expires_in": 3600}')
        return Answer(b'{"code": 124, "message": "Invalid access token."}', 401)

    scripted.always = answer
    (row,) = read(scripted, "zoom", days=7)["load_windows"]
    assert "another program seems to use this app" in row["error"]
    assert "check the credentials" not in row["error"]


@pytest.mark.parametrize(("losses", "warned"), [(1, False), (2, True), (5, True)])
def test_a_token_that_is_lost_again_and_again_is_warned_of(
    scripted: VendorServer, losses: int, *, warned: bool
) -> None:
    """Each request is answered after all, so that there is no other error."""
    scripted.answers += [Answer(b"", 401), Answer(b'{"n": 1}')] * losses
    token = BearerToken(lambda: ("t", 3600.0), shared="app")
    client = Client("acme", scripted.url, token, requests_per_second=1000)
    for _ in range(losses):
        assert client.ask("GET", "/", dict[str, int]) == {"n": 1}
    assert len(client.warnings) == warned


def zoom_page(number: int, of: int, calls: int = 2) -> bytes:
    """Return a page of a list with as many calls on each."""
    listed = [
        {"engagement_id": f"e{number}{n}", "start_time": "2026-03-02T10:00:00+00:00"}
        for n in range(calls)
    ]
    following = f"p{number + 1}" if number < of else ""
    total = {"total_records": of * calls, "next_page_token": following}
    return json.dumps({"voice_calls": listed, **total}).encode()


EXPIRED = [
    (400, {"code": 300, "message": "The next page token is invalid or expired."}),
    (404, {"code": 404, "message": "Ungültig"}),
    (200, {"code": 300, "message": "x", "errors": [{"field": "next_page_token"}]}),
]


@pytest.mark.parametrize(("status", "body"), EXPIRED)
@pytest.mark.parametrize("ends_on", [2, 3])
@pytest.mark.parametrize("times", [1, RESTARTS, RESTARTS + 1])
def test_a_page_token_that_ends_starts_the_window_over(
    scripted: VendorServer,
    status: int,
    body: dict[str, Any],
    ends_on: int,
    times: int,
) -> None:
    """What came before is void: it is counted once, and hides nothing that is gone."""
    left = times

    def answer(path: str, _: bytes) -> Answer:
        nonlocal left
        if path.startswith(SIGN_IN["zoom"]):
            return Answer(b'{"access_token": "t", "expires_in": 3600}')
        (token,) = parse_qs(urlsplit(path).query).get("next_page_token", ["p1"])
        number = int(token[1:])
        if number == ends_on and left:
            left -= 1
            return Answer(json.dumps(body).encode(), status)
        # Before the start over the first page had a call that is deleted meanwhile.
        return Answer(zoom_page(number, of=3, calls=3 if left else 2))

    scripted.always = answer
    rows = read(scripted, "zoom")
    (row,) = rows["load_windows"]
    if times > RESTARTS:
        assert row["state"] == "failed"
        assert f"begun again {RESTARTS} times" in row["error"]
        return
    counts = (row["rows_fetched"], row["rows_distinct"], row["vendor_total"])
    assert (row["state"], counts) == ("complete", (6, 6, 6))
    assert row["requests"] == times * ends_on + 3
    assert sorted(one["record_id"] for one in rows["records"]) == [
        *("e10", "e11", "e20", "e21", "e30", "e31")
    ]


def test_a_first_page_that_is_refused_is_not_asked_for_again(
    scripted: VendorServer,
) -> None:
    def answer(path: str, _: bytes) -> Answer:
        if path.startswith(SIGN_IN["zoom"]):
            return Answer(b'{"access_token": "t", "expires_in": 3600}')
        return Answer(b'{"code": 300, "message": "Invalid field."}', 400)

    scripted.always = answer
    (row,) = read(scripted, "zoom")["load_windows"]
    assert (row["state"], row["requests"]) == ("failed", 1)
