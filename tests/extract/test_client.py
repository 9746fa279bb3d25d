import gzip
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from vendor_server import Answer, VendorServer

from pipelines.extract import client as http
from pipelines.extract.auth import BearerToken, HeaderKey
from pipelines.extract.client import Client
from pipelines.extract.errors import (
    ApiError,
    ExpiredPageError,
    Reply,
    ResultTooLargeError,
    VendorError,
    clean,
    seconds_to_wait,
)
from pipelines.extract.pagination import (
    Listing,
    Page,
    Paging,
    by_offset,
    by_page,
    by_token,
    pages,
)
from pipelines.planning.windows import read_time

NOW = read_time("2026-03-01T12:00:00Z")
AT_ONCE = {"Retry-After": "0"}


def ask(
    vendor: VendorServer, *answers: Answer, client: Client | None = None
) -> dict[str, int]:
    vendor.answers += answers
    client = client or Client("acme", vendor.url, requests_per_second=1000)
    return client.ask("GET", "/calls", dict[str, int], params={"phone": "+15550100001"})


def failure(
    vendor: VendorServer, *answers: Answer, client: Client | None = None
) -> str:
    with pytest.raises(VendorError) as error:
        ask(vendor, *answers, client=client)
    assert "5550100001" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "2026-03-01T12:02:00Z"}, 120.0),
        ({"Retry-After": "2026-03-01T11:00:00Z"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "NaN"}, None),
        ({"Retry-After": "1" + "0" * 400}, float("inf")),
        ({"Retry-After": "10000-01-01T00:00:00Z"}, None),
        ({"Retry-After": "Fri, 31 Dec 99999 23:59:59 GMT"}, None),
        ({"X-RateLimit-Remaining-Interval-Milliseconds": "\xb2"}, None),
        ({"X-RateLimit-Remaining-Interval-Milliseconds": "250"}, 0.25),
    ],
)
def test_every_form_of_come_back_later_is_understood(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert seconds_to_wait(headers, NOW) == seconds


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_error_is_tried_again(scripted: VendorServer, status: int) -> None:
    client = Client("acme", scripted.url, requests_per_second=1000)
    answer = ask(
        scripted, Answer(b"", status, AT_ONCE), Answer(b'{"n": 1}'), client=client
    )
    assert answer == {"n": 1}
    assert (client.sent, client.retries) == (2, 1)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_vendor_is_never_asked_ahead_of_the_pace(
    scripted: VendorServer, threads: int
) -> None:
    """Only too early is wrong: an arrival may be late, not a client's fault."""
    arrived: list[float] = []

    def answer(_: str, __: bytes) -> Answer:
        arrived.append(time.monotonic())
        return Answer(b'{"n": 1}')

    scripted.always = answer
    client = Client("acme", scripted.url, requests_per_second=20)
    began = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: ask(scripted, client=client), range(8)))
    early = [
        number
        for number, moment in enumerate(sorted(arrived))
        if moment - began < number / 20 - 0.001
    ]
    assert (len(arrived), early) == (8, [])


def test_a_cut_body_and_broken_json_are_tried_again(scripted: VendorServer) -> None:
    whole = Answer(b'{"n": 1}', headers=AT_ONCE)
    assert ask(scripted, Answer(b'{"n"', cut=10), Answer(b'{"n": 1'), whole) == {"n": 1}


def test_a_vendor_that_never_recovers_is_given_up_in_one_sentence(
    scripted: VendorServer,
) -> None:
    answers = [Answer(b"", 503, AT_ONCE)] * http.ATTEMPTS
    assert "keeps answering HTTP 503" in failure(scripted, *answers)
    assert len(scripted.got) == http.ATTEMPTS


@pytest.mark.parametrize("wait", ["1" + "0" * 400, "9999-12-31T23:59:59-23:59"])
def test_a_wait_without_end_is_not_begun(scripted: VendorServer, wait: str) -> None:
    sentence = failure(scripted, Answer(b"", 429, {"Retry-After": wait}))
    assert "asks to wait over a month" in sentence
    assert len(scripted.got) == 1


def test_a_quota_that_ends_tomorrow_is_not_waited_for(scripted: VendorServer) -> None:
    tomorrow = Answer(b"", 429, {"Retry-After": "86400"})
    assert "asks to wait 1440 minutes" in failure(scripted, tomorrow)
    assert len(scripted.got) == 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(b"<html>Sign in</html>"), "a web page or a redirect"),
        (
            Answer(b"", 302, {"Location": "http://127.0.0.2:1/"}),
            "a web page or a redirect",
        ),
        (Answer(b"", 204), "answered HTTP 204, not 200"),
        (Answer(b"{}", 206), "answered HTTP 206, not 200"),
        (Answer(b"{}", 401), "refused the credentials"),
        (Answer(b'["n"]'), "changed its shape"),
    ],
)
def test_an_answer_that_cannot_be_loaded_is_an_error_at_once(
    scripted: VendorServer, answer: Answer, expected: str
) -> None:
    assert expected in failure(scripted, answer)
    assert len(scripted.got) == 1


def test_an_unreachable_host_is_named() -> None:
    client = Client("acme", "http://127.0.0.1:9", requests_per_second=1000)
    http_attempts = http.ATTEMPTS
    try:
        http.ATTEMPTS = 2
        with pytest.raises(
            VendorError, match=r"127\.0\.0\.1:9\) cannot be reached"
        ) as error:
            client.ask("GET", "/", dict[str, int])
    finally:
        http.ATTEMPTS = http_attempts
    assert error.value.stops_account


def test_a_token_is_renewed_once_and_the_same_request_repeated(
    scripted: VendorServer,
) -> None:
    issued = iter(["first", "second"])
    token = BearerToken(lambda: (next(issued), 3600.0))
    client = Client("acme", scripted.url, token, requests_per_second=1000)
    assert ask(scripted, Answer(b"", 401), Answer(b'{"n": 1}'), client=client) == {
        "n": 1
    }
    sent = [(path, headers["authorization"]) for _, path, headers, _ in scripted.got]
    assert [value for _, value in sent] == ["Bearer first", "Bearer second"]
    assert sent[0][0] == sent[1][0]


def test_a_token_refused_twice_is_an_error(scripted: VendorServer) -> None:
    client = Client("acme", scripted.url, BearerToken(lambda: ("t", 3600.0)))
    sentence = failure(scripted, Answer(b"", 401), Answer(b"", 401), client=client)
    assert "refused the credentials" in sentence


def test_a_token_is_taken_again_before_it_ends(scripted: VendorServer) -> None:
    issued = iter(["first", "second"])
    client = Client("acme", scripted.url, BearerToken(lambda: (next(issued), 0.0)))
    ask(scripted, Answer(), client=client)
    ask(scripted, Answer(), client=client)
    assert [got[2]["authorization"] for got in scripted.got] == [
        "Bearer first",
        "Bearer second",
    ]


def test_a_vendors_own_error_body_is_read_before_its_status(
    scripted: VendorServer,
) -> None:
    def classify_error(reply: Reply) -> ApiError | None:
        if b"error" not in reply.body:
            return None
        return ApiError(
            "stop_account", "says: key canary-0123456789-0123456789-x of +15550100001"
        )

    client = Client(
        "acme", scripted.url, HeaderKey("X-Key", "k"), classify_error=classify_error
    )
    sentence = failure(scripted, Answer(b'{"error": 1}'), client=client)
    assert "canary" not in sentence
    assert scripted.got[0][2]["x-key"] == "k"


def test_a_compressed_bomb_is_stopped(
    scripted: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "BODY_BYTES", 1 << 20)
    bomb = gzip.compress(b" " * (64 << 20))
    headers = {"Content-Encoding": "gzip"}
    assert "sent more than 1 MiB" in failure(scripted, Answer(bomb, headers=headers))


def test_a_log_line_has_no_number_no_key_and_no_escape() -> None:
    dirty = "bad \x1b[31m key AAAAAAAAAABBBBBBBBBBCCCCCCCCCC\nfor +1 (555) 010-0001"
    assert clean(dirty) == "bad  [31m key … for …"


def listed(
    vendor: VendorServer, listing: Listing, paging: Paging, *bodies: bytes
) -> list[Page]:
    vendor.answers += [Answer(body) for body in bodies]
    client = Client("acme", vendor.url, requests_per_second=1000)
    return list(pages(client, replace(listing, paging=paging)))


CALLS = Listing("/calls", records="items", total="total")


def test_an_offset_goes_on_from_what_came_not_from_what_was_asked(
    scripted: VendorServer,
) -> None:
    bodies = (
        b'{"items": [{"a": 1}, {"a" : 2}], "total": 3}',
        b'{"items": [{"a": 3}], "total": 3}',
    )
    got = listed(scripted, CALLS, by_offset("offset", 500), *bodies)
    assert [bytes(r) for page in got for r in page.records] == [
        b'{"a": 1}',
        b'{"a" : 2}',
        b'{"a": 3}',
    ]
    assert [path for _, path, _, _ in scripted.got] == ["/calls", "/calls?offset=2"]


def test_bounds_are_written_as_the_listing_says_where_its_filters_are() -> None:
    start, end = read_time("2026-03-01T02:00:00+02:00"), read_time("2026-03-02T00:00Z")
    assert CALLS.between(start, end).params == {
        "from": "2026-03-01T00:00:00+00:00",
        "to": "2026-03-02T00:00:00+00:00",
    }
    body = replace(CALLS, json={"a": 1}, bounds=("after", "before"), time_form="%d")
    assert body.between(start, end).json == {"a": 1, "after": "01", "before": "02"}
    assert body.between(start, end).params == {}


def test_more_records_than_the_pages_reach_are_too_much(
    scripted: VendorServer,
) -> None:
    scripted.answers = [Answer(b'{"items": [1], "total": 3}')]
    client = Client("acme", scripted.url)
    read = pages(client, replace(CALLS, reach=2, paging=by_offset("offset", 1)))
    assert next(read).total == 3
    with pytest.raises(
        ResultTooLargeError, match="than the 2 that its pages can reach"
    ):
        next(read)


@pytest.mark.parametrize("kind", [None, ExpiredPageError, ResultTooLargeError])
def test_a_refused_later_page_is_what_the_listing_says(
    scripted: VendorServer, kind: type[VendorError] | None
) -> None:
    scripted.answers = [Answer(b'{"items": [1], "total": 3}'), Answer(b"{}", 400)]
    client = Client(
        "acme",
        scripted.url,
        classify_error=lambda reply: (
            ApiError("bad_request", "no") if reply.status > 200 else None
        ),
    )
    listing = replace(CALLS, paging=by_offset("offset", 1), later_error=kind)
    with pytest.raises(kind or VendorError) as error:
        list(pages(client, listing))
    assert error.value.is_bad_request == (kind is None)


def test_form_fields_move_in_the_form(scripted: VendorServer) -> None:
    listing = Listing("/calls", "items", "POST", "total", data={"count": 1})
    bodies = (b'{"items": [1], "total": 2}', b'{"items": [2], "total": 2}')
    listed(scripted, listing, by_offset("offset", 1), *bodies)
    assert [body for *_, body in scripted.got] == [b"count=1", b"count=1&offset=1"]


def test_a_token_is_followed_until_it_is_empty(scripted: VendorServer) -> None:
    bodies = (
        b'{"items": [1], "total": 2, "next": "t1"}',
        b'{"items": [], "total": 2, "next": "t2"}',
        b'{"items": [2], "total": 2, "next": ""}',
    )
    got = listed(scripted, CALLS, by_token("page", "next"), *bodies)
    assert sum(len(page.records) for page in got) == 2
    assert [path for _, path, _, _ in scripted.got][-1] == "/calls?page=t2"


def test_pages_are_counted_while_there_are_more(scripted: VendorServer) -> None:
    bodies = (
        b'{"items": [1], "total": 2, "more": true}',
        b'{"items": [2], "total": 2, "more": false}',
    )
    listed(scripted, CALLS, by_page("page", "more"), *bodies)
    assert [path for _, path, _, _ in scripted.got] == ["/calls", "/calls?page=1"]


@pytest.mark.parametrize(
    "bodies",
    [
        (b'{"error": "partial"}',),
        (b'{"items": null, "total": 1, "next": ""}',),
        (b'{"items": {}, "total": 1, "next": ""}',),
        (b'{"items": [1], "next": ""}',),
        (b'{"items": [1], "total": "many", "next": ""}',),
        (b'{"items": [1], "total": 1}',),
        (
            b'{"items": [1], "total": 9, "next": "a"}',
            b'{"items": [1], "total": 9, "next": "a"}',
        ),
    ],
)
def test_an_envelope_that_changed_or_a_page_that_repeats_is_an_error(
    scripted: VendorServer, bodies: tuple[bytes, ...]
) -> None:
    with pytest.raises(VendorError, match="acme /calls"):
        listed(scripted, CALLS, by_token("page", "next"), *bodies)


def test_a_naive_retry_date_is_utc() -> None:
    assert seconds_to_wait({"Retry-After": "2026-03-01T12:00:05"}, NOW) == 5.0
