"""Whatever arrives on the wire ends, and is an answer or one VendorError."""

import datetime as dt
import gc
import gzip
import json
import socket
import ssl
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import dlt
import msgspec
import pytest
import trustme
from dlt.pipeline.exceptions import PipelineStepFailed
from patience import PATIENCE
from requests.auth import HTTPBasicAuth
from vendor_server import VendorServer, dripping, outlasted, vendor_server

from pipelines.extract import client as http
from pipelines.extract.auth import BearerToken, HeaderKey
from pipelines.extract.client import Client
from pipelines.extract.errors import ClassifyError, VendorError
from pipelines.extract.pagination import Listing, by_offset, by_token, pages
from pipelines.extract.rate_limit import VendorRun
from pipelines.extract.resources import dlt_source
from pipelines.extract.sign_in import classify_oauth_error
from pipelines.planning.windows import day_windows
from pipelines.sources import connect, evovoice, twin, voximplant, whippy, zoom

OK = b"HTTP/1.1 200 OK\r\n"
PLAIN = b"Content-Type: application/json\r\n"
CANARY = "canary-5f0e1d"


# What cannot be read as a response keeps its socket until the next collection:
# ssl and http.client do not close what they could not make a response of.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def secure(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture(params=["http", "https"])
def raw(
    request: pytest.FixtureRequest,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[VendorServer, Client]]:
    """Give a server and a client of it, with and without TLS."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    is_secure = request.param == "https"
    tls = secure(authority.issue_cert("localhost")) if is_secure else None
    with vendor_server(tls) as server:
        yield server, Client("acme", f"{request.param}://localhost:{server.port}")


# One deadline over a whole exchange --------------------------------------------------

DRIPS: dict[str, Callable[[], Iterable[bytes]]] = {
    "status line": lambda: dripping(b"H"),
    "header": lambda: dripping(b"x", OK + b"X-Slow: "),
    "more and more of a header": lambda: dripping(b"\r\n y", OK + b"X-Slow: "),
    "continue": lambda: dripping(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": lambda: dripping(b" ", OK + b"Content-Length: 100000\r\n\r\n"),
    "body without a length": lambda: dripping(b" ", OK + b"\r\n"),
    "chunk": lambda: dripping(
        b"1\r\n \r\n", OK + b"Transfer-Encoding: chunked\r\n\r\n"
    ),
    "size of a chunk": lambda: dripping(
        b"0", OK + b"Transfer-Encoding: chunked\r\n\r\n"
    ),
    "gzip of nothing": lambda: dripping(
        gzip.compress(b""), OK + b"Content-Encoding: gzip\r\n\r\n"
    ),
}


@pytest.mark.parametrize("drip", DRIPS)
def test_an_exchange_ends_however_slowly_it_goes_on(
    raw: tuple[VendorServer, Client], drip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "DEADLINE_SECONDS", 0.4)
    monkeypatch.setattr(http, "ATTEMPTS", 1)
    server, client = raw
    server.send = DRIPS[drip]
    with pytest.raises(VendorError, match="took over 0 s for one answer"):
        client.ask("GET", "/", msgspec.Raw)
    assert outlasted == []


def test_a_proxy_that_drips_ends_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "DEADLINE_SECONDS", 0.4)
    monkeypatch.setattr(http, "ATTEMPTS", 1)
    with vendor_server() as server:
        server.send = DRIPS["header"]
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.port}")
        client = Client("acme", "https://vendor.invalid")
        with pytest.raises(VendorError, match="took over 0 s for one answer"):
            client.ask("GET", "/", msgspec.Raw)
        assert server.requests[0].startswith(b"CONNECT vendor.invalid:443")
    assert outlasted == []


def test_a_connection_that_a_deadline_ended_serves_nobody_else(
    raw: tuple[VendorServer, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "DEADLINE_SECONDS", 3.0)
    monkeypatch.setattr(http, "LONGEST_BACKOFF", 0.0)
    server, client = raw
    whole = [OK + b'Content-Length: 8\r\n\r\n{"n": 1}']
    server.send = lambda: whole if len(server.requests) > 1 else DRIPS["body"]()
    assert client.ask("GET", "/", dict[str, int]) == {"n": 1}
    assert len(server.requests) > 1


def test_an_answer_that_never_comes_ends_with_the_read_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Far before the deadline; each attempt is one, and each is a new request."""
    monkeypatch.setattr(http, "ATTEMPTS", 2)
    monkeypatch.setattr(http, "LONGEST_BACKOFF", 0.0)
    asked, ended = threading.Event(), threading.Event()

    def silent() -> Iterator[bytes]:
        asked.set()
        ended.wait(PATIENCE)
        yield b""

    with vendor_server() as server:
        server.send = silent
        url = f"http://127.0.0.1:{server.port}"
        client = Client("acme", url, read_seconds=0.2)
        try:
            with pytest.raises(VendorError, match="broke off: TimeoutError"):
                client.ask("GET", "/", msgspec.Raw)
        finally:
            ended.set()
        assert asked.is_set()
        assert client.sent == 2


def test_a_connection_that_ends_between_two_requests_is_opened_again(
    raw: tuple[VendorServer, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it ends before the second request comes, or just when it has come."""
    monkeypatch.setattr(http, "LONGEST_BACKOFF", 0.0)
    server, client = raw
    whole = [OK + b'Content-Length: 8\r\n\r\n{"n": 1}']
    answers = iter([whole, [], whole])
    server.send = lambda: next(answers)
    assert client.ask("GET", "/", dict[str, int]) == {"n": 1}
    assert client.ask("GET", "/", dict[str, int]) == {"n": 1}
    assert (len(server.requests), client.sent) == (3, 3)


def test_a_host_without_an_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that no network knows; the answer of a real one is none of ours."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(http, "ATTEMPTS", 2)
    monkeypatch.setattr(http, "LONGEST_BACKOFF", 0.0)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    client = Client("acme", "https://vendor.invalid")
    with pytest.raises(
        VendorError, match=r"vendor\.invalid\) cannot be reached"
    ) as error:
        client.ask("GET", "/", msgspec.Raw)
    assert error.value.stops_account
    assert client.sent == 2


# Patience over a whole run -----------------------------------------------------------


def test_a_run_waits_for_a_vendor_only_so_long_in_all() -> None:
    """Each single wait is short enough; the sentence says which setting ends them."""
    later = b"HTTP/1.1 429 x\r\nRetry-After: 0.5\r\nContent-Length: 0\r\n\r\n"
    with vendor_server() as server:
        server.send = lambda: [later]
        url = f"http://localhost:{server.port}"
        run = VendorRun()
        client = Client("acme", url, patience_seconds=0.8, run=run)
        with pytest.raises(VendorError, match="patience_seconds = 1 allows") as error:
            client.ask("GET", "/", msgspec.Raw)
        assert error.value.stops_account
        assert "keeps answering HTTP 429" in str(error.value)
        so_far = len(server.requests)
        assert so_far < http.ATTEMPTS
        # The next window of the same run, and the next account, wait no more.
        for _ in range(3):
            other = Client("acme", url, patience_seconds=0.8, run=run)
            with pytest.raises(VendorError, match="patience_seconds"):
                other.ask("GET", "/", msgspec.Raw)
        assert len(server.requests) == so_far + 3


# TLS ---------------------------------------------------------------------------------


def last_week() -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(days=7)


CERTIFICATES: dict[str, Callable[[trustme.CA], trustme.LeafCert]] = {
    "has expired": lambda authority: authority.issue_cert(
        "localhost",
        not_before=last_week() - dt.timedelta(days=7),
        not_after=last_week(),
    ),
    "is not valid yet": lambda authority: authority.issue_cert(
        "localhost",
        not_before=dt.datetime.now(dt.UTC) + dt.timedelta(days=7),
        not_after=dt.datetime.now(dt.UTC) + dt.timedelta(days=8),
    ),
    "is made out for another host": lambda authority: authority.issue_cert(
        "other.example"
    ),
    "is signed by nobody whom this machine trusts": lambda _: trustme.CA().issue_cert(
        "localhost"
    ),
}


@pytest.mark.parametrize("words", CERTIFICATES)
def test_a_wrong_certificate_is_told_as_that_and_gets_no_credential(
    words: str,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with vendor_server(secure(CERTIFICATES[words](authority))) as server:
        url = f"https://localhost:{server.port}"
        client = Client("acme", url, HeaderKey("X-Key", CANARY))
        with pytest.raises(VendorError, match=f"TLS certificate that {words}") as error:
            client.ask("GET", "/", msgspec.Raw)
        assert error.value.stops_account
        assert server.requests == []
        assert client.sent == 1, "a certificate does not get better in a minute"


def test_a_server_of_an_old_tls_gets_no_request(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS 1.1, which a client that allows it does speak with the same server."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    monkeypatch.setattr(http, "ATTEMPTS", 1)
    old = secure(authority.issue_cert("localhost"))
    willing = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    for context in (old, willing):
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
            context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with vendor_server(old) as server:
        server.send = lambda: [OK + b"Content-Length: 0\r\n\r\n"]
        client = Client(
            "acme", f"https://localhost:{server.port}", HeaderKey("X-Key", CANARY)
        )
        with pytest.raises(VendorError, match="does not agree on TLS"):
            client.ask("GET", "/", msgspec.Raw)
        assert server.requests == []
        with (
            socket.create_connection(("127.0.0.1", server.port), PATIENCE) as plain,
            willing.wrap_socket(plain, server_hostname="localhost") as control,
        ):
            assert control.version() == "TLSv1.1"


def test_a_server_that_speaks_no_tls_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "ATTEMPTS", 1)
    with vendor_server() as server:
        server.send = lambda: [OK + b"\r\n"]
        client = Client("acme", f"https://localhost:{server.port}")
        with pytest.raises(VendorError, match="does not agree on TLS"):
            client.ask("GET", "/", msgspec.Raw)


def test_no_proxy_stands_between_this_machine_and_itself(
    raw: tuple[VendorServer, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = raw
    server.send = lambda: [OK + b'Content-Length: 8\r\n\r\n{"n": 1}']
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert client.ask("GET", "/", dict[str, int]) == {"n": 1}


# Whatever arrives --------------------------------------------------------------------

STATUS_LINES = [
    *[b"HTTP/1.1 %d x" % one for one in (200, 200, 200, 200, 201, 204, 206, 301, 302)],
    *[b"HTTP/1.1 %d x" % one for one in (400, 401, 403, 404, 408, 410, 422, 425, 429)],
    *[b"HTTP/1.1 %d x" % one for one in (500, 502, 503, 504, 599, 600, 999, 99, 0)],
    *[b"HTTP/1.0 200", b"HTTP/2 200", b"HTTP/1.1 -1", b"HTTP/1.1 10000000000 x"],
    *[
        b"HTTP/1.1",
        b"",
        b"ICY 200 OK",
        b"\x16\x03\x01",
        b"HTTP/1.1 200 \xff\xfe",
        b"{}",
    ],
    *[b"HTTP/1.1 2\xb2 OK", b"HTTP/9.9 200 OK", b"SSH-2.0-x", b"x" * 70_000],
]
WAITS = [
    *[b"0", b"-5", b"NaN", b"inf", b"1e400", b"1" + b"0" * 400, b"soon", b"", b" "],
    *[b"9999-12-31T23:59:59-23:59", b"0001-01-01T00:00:00+23:59", b"\xb2", b"\xff"],
    *[b"Fri, 31 Dec 99999 23:59:59 GMT", b"Mon, 00 Foo 2026 99:99:99 GMT", b"0x10"],
    *[b"Fri, 31 Dec 9999 23:59:59 -9999", b"10000-01-01T00:00:00Z", b"1.2.3", b"1,5"],
    *[b"Fri, 01 Jan 0001 00:00:00 +2359", b"2026-W01-1", b"20260101T000000", b"9" * 60],
]
BOMB = gzip.compress(b" " * (4 << 20))
ENCODED = {
    b"gzip": [BOMB, gzip.compress(b"{}")[:-4], b"\x1f\x8b\x08", b"not gzip", b""],
    b"deflate": [zlib.compress(b'{"items": []}'), b"\x00\x01", b"\xff" * 50],
    b"gzip, gzip": [gzip.compress(BOMB), gzip.compress(b"{}")],
    b"gzip, gzip, gzip, gzip, gzip, gzip, gzip": [BOMB],
    b"br": [b"x"],
    b"zstd": [b"(\xb5/\xfd"],
    b"\xff, gzip,,": [b"{}"],
}
LISTS = ["[]", "[]", "[1]", "[{}, []]", "null", "{}", "7"]
NUMBERS = [
    *["0", "0", "1", "1", "2"],
    *["0", "1", "-1", "1.5", "1e30", "1" + "0" * 30, "1" + "0" * 5000, "true", "null"],
    *['"1"', '"-1"', '"x"', '"1' + "0" * 400 + '"', "NaN", "Infinity", "[]", "{}"],
]
ERRORS = [
    *["null", '"partial"', "[]", '["x"]', '{"code": 1, "msg": "x"}', "{}", "1", "0"],
    *[
        '{"code": "x"}',
        '[{"code": null}]',
        "true",
        '{"error": {"error": []}}',
        '"\\ud83d"',
    ],
]


def header(random: Random) -> bytes:
    """Return one more header, odd in most cases."""
    odd: list[Callable[[], bytes]] = [
        lambda: b"Retry-After: " + random.choice(WAITS),
        lambda: b"X-RateLimit-Remaining-Interval-Milliseconds: " + random.choice(WAITS),
        lambda: (
            b"Set-Cookie: " + random.choice([b"a=b", b"\xff=\xfe; expires=x", b"=;"])
        ),
        lambda: b"Location: " + random.choice([b"//[::1", b"\xff", b"http://x:99999/"]),
        lambda: b"Content-Length: " + random.choice([b"-1", b"x", b"9" * 30, b"7, 8"]),
        lambda: b"Transfer-Encoding: " + random.choice([b"chunked", b"\xff", b"gzip"]),
        lambda: (
            b"Content-Type: "
            + random.choice([b"\xff/\xfe", b"text/html; charset=\x00"])
        ),
        lambda: b"Date: " + random.choice(WAITS),
        lambda: b"Connection: " + random.choice([b"close", b"keep-alive", b"upgrade"]),
        lambda: bytes(random.randrange(256) for _ in range(random.randrange(40))),
        lambda: b"\r\n".join(b"X-%d: y" % n for n in range(random.choice([9, 300]))),
        lambda: b"X-Long: " + b"z" * random.choice([100, 70_000]),
        lambda: b" folded",
        lambda: b"no colon",
    ]
    return random.choice(odd)()


def said(random: Random, keys: list[str], values: list[str]) -> str:
    return f'"{random.choice(keys)}": {random.choice(values)}'


def body(random: Random) -> bytes:
    """Return a body that one of the vendors could mean, or none of them."""
    envelope = ", ".join(
        [
            said(random, ["items", "items", "data", "result"], LISTS),
            said(random, ["total", "total", "count", "total_count"], NUMBERS),
            said(random, ["x", "y", "error", "errors", "Errors", "code"], ERRORS),
            said(random, ["message", "msg", "responseStatus", "reason"], ERRORS),
            said(random, ["warnings", "timezone", "next"], [*ERRORS, *NUMBERS]),
        ]
    )
    whole = f"{{{envelope}}}".encode()
    cut = random.randrange(len(whole))
    return random.choice(
        [
            *[whole] * 20,
            *[whole[:cut], whole[cut:], b"\xef\xbb\xbf" + whole],
            whole.replace(b"x", b"\xff\xfe"),
            whole[:cut] + bytes([random.randrange(256)]) + whole[cut + 1 :],
            whole.decode().encode("utf-16"),
            bytes(random.randrange(256) for _ in range(random.randrange(60))),
            b"[" * random.choice([10, 100_000]),
            b'{"error":' * 2000,
            b"<html>",
            b"",
        ]
    )


def response(random: Random) -> bytes:
    """Return the bytes of one response."""
    sent = body(random)
    lines = [random.choice([b"HTTP/1.1 200 OK", random.choice(STATUS_LINES)])]
    lines += [header(random) for _ in range(random.choice([0, 0, 1, 2, 5]))]
    if random.random() < 0.15:
        coding = random.choice(list(ENCODED))
        lines.append(b"Content-Encoding: " + coding)
        sent = random.choice(ENCODED[coding])
    framing = random.random()
    if framing < 0.6:
        lines.append(
            b"Content-Length: %d" % (len(sent) + random.choice([0, 0, 0, 5, -1]))
        )
    elif framing < 0.8:
        size = random.choice(
            [b"%x" % len(sent), b"%x" % len(sent), b"-1", b"zz", b"f" * 30]
        )
        lines.append(b"Transfer-Encoding: chunked")
        sent = size + b"\r\n" + sent + random.choice([b"\r\n0\r\n\r\n", b"", b"\r\nx"])
    ends = random.choice([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"])
    whole = ends.join(lines) + ends + ends + sent
    return whole[: random.randrange(len(whole))] if random.random() < 0.05 else whole


# What the vendors' own error bodies are read by.
SOURCES = (evovoice, twin, voximplant, whippy, zoom)
CLASSIFY: list[ClassifyError | None] = [
    None,
    *[getattr(one, "_classify_error") for one in SOURCES],  # noqa: B009
    partial(classify_oauth_error, "client_id"),
]
TOKENS = [*["t"] * 6, "t\r\nX: y", "\u20ac", "", " t", "t\x00", "\udc80", "t" * 200_000]


def auth(random: Random) -> Any:  # noqa: ANN401
    """Return a way to sign in; a vendor may hand out any token."""
    token = CANARY + random.choice(TOKENS)
    return random.choice(
        [
            None,
            HeaderKey("X-Key", CANARY),
            HTTPBasicAuth(CANARY.encode(), b"\xff"),
            BearerToken(lambda: (token, random.choice([3600.0, -1.0, 0.0]))),
            BearerToken(lambda: (token, 1.0), header="Cookie", scheme=""),
        ]
    )


def test_a_client_raises_nothing_but_its_own_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two thousand responses; each ends as pages or as one clean sentence."""
    monkeypatch.setattr(http, "BODY_BYTES", 1 << 20)
    monkeypatch.setattr(http, "DEADLINE_SECONDS", 5.0)
    seen: Counter[str] = Counter()
    with vendor_server() as server:
        for seed in range(2000):
            random = Random(seed)  # noqa: S311 - repeatable, not secret
            sent = response(random)
            server.send = lambda sent=sent: [sent]  # type: ignore[misc]
            client = Client(
                "acme",
                f"http://127.0.0.1:{server.port}",
                auth(random),
                requests_per_second=1e6,
                classify_error=random.choice(CLASSIFY),
                patience_seconds=1e-9,
            )
            listing = Listing(
                "/calls",
                random.choice(["items", "items", "data"]),
                total=random.choice([None, "total"]),
                paging=random.choice([by_offset("o", 1), by_token("next", "next")]),
            )
            try:
                next(pages(client, listing))
                seen["pages"] += 1
            except VendorError as error:
                sentence = str(error)
                assert sentence.isprintable(), (seed, sentence)
                assert CANARY not in sentence, (seed, sentence)
                assert len(sentence) < 800, (seed, sentence)
                seen["errors"] += 1
            except Exception as error:
                raise AssertionError(f"{seed}: {error!r} of {sent[:300]!r}") from error
    assert seen.total() == 2000
    assert seen["pages"] > 5
    assert seen["errors"] > 200


@pytest.mark.parametrize("total", ["-1", "1.5", "1e30", "true", "null", '"many"', "[]"])
@pytest.mark.parametrize("beside", ['"error": "partial"', '"errors": [{"x": 1}]'])
def test_a_part_of_an_answer_is_no_answer(
    raw: tuple[VendorServer, Client], total: str, beside: str
) -> None:
    server, client = raw
    bodies = [
        json.dumps({"items": [], "total": 0}).encode(),
        b'{"items": [{"a": 1}], "total": %s}' % total.encode(),
        b'{"items": [{"a": 1}], "total": 1, %s}' % beside.encode(),
    ]
    answers = iter(bodies)

    def send() -> list[bytes]:
        sent = next(answers)
        return [OK + PLAIN + b"Content-Length: %d\r\n\r\n" % len(sent) + sent]

    server.send = send
    listing = Listing("/calls", "items", total="total", paging=by_offset("o", 10))
    assert len(list(pages(client, listing))) == 1
    for _ in range(2):
        with pytest.raises(VendorError, match="acme /calls sent"):
            list(pages(client, listing))


@pytest.mark.parametrize(
    "body",
    [
        b'{"items": [{"a": 1}], "total": 1, "items": []}',
        b'{"items": [], "total": 0, "items": []}',
        b'{"items": [{"a": 1}], "total": 1, "\\u0074otal": 1}',
        b'{"items": [], "total": 0, "next": 1, "next": 2}',
    ],
)
def test_a_key_that_an_answer_has_twice_is_no_answer(body: bytes) -> None:
    listing = Listing("/calls", "items", total="total", paging=by_offset("o", 10))
    with vendor_server() as server:
        server.send = lambda: [OK + b"Content-Length: %d\r\n\r\n" % len(body) + body]
        client = Client("acme", f"http://127.0.0.1:{server.port}")
        with pytest.raises(VendorError, match="a key twice in one answer") as error:
            list(pages(client, listing))
        assert not error.value.stops_account
        assert client.sent == 1


ASKED = {"from": "2026-03-01T23:59:59Z", "to": "2026-03-03T00:00:00Z"}


@pytest.mark.parametrize(
    ("echo", "is_answer"),
    [
        ({}, True),
        ({"from": None, "to": 7}, True),
        ({"from": "sometime"}, True),
        (ASKED, True),
        ({"from": "2026-03-02T02:59:59.000+03:00", "to": "2026-03-03"}, True),
        ({"from": "2026-03-01 23:59:59", "to": "2026-03-03T00:00+00:00"}, True),
        ({"from": "2026-03-02T00:00:00Z"}, True),
        ({"from": "2026-03-01"}, True),
        ({"to": "2026-03-04"}, False),
        (ASKED | {"from": "2026-02-28T23:59:59Z"}, False),
        (ASKED | {"to": "2026-03-02T23:59:00Z"}, False),
        (ASKED | {"to": "2026-03-03T00:00:00-05:00"}, False),
        ({"from": "2026-02-28"}, False),
        ({"to": "2026-04-03T00:00:00Z"}, False),
    ],
)
@pytest.mark.parametrize("listing", zoom.LISTINGS.values())
def test_a_repeated_time_that_was_not_asked_for_is_of_another_question(
    listing: Listing,
    echo: dict[str, object],
    is_answer: bool,  # noqa: FBT001 - pytest's own parameter
) -> None:
    (window,) = day_windows("calls", "2026-03-02", "2026-03-03")
    records = {"voice_calls": [], "engagements": []}
    body = {"next_page_token": "", "total_records": 0, **records, **echo}
    sent = json.dumps(body).encode()
    with vendor_server() as server:
        server.send = lambda: [
            OK + PLAIN + b"Content-Length: %d\r\n\r\n" % len(sent) + sent
        ]
        client = Client("zoom", f"http://127.0.0.1:{server.port}")
        if is_answer:
            assert len(list(zoom.read(client, listing, window))) == 1
            return
        with pytest.raises(VendorError, match="another request") as error:
            list(zoom.read(client, listing, window))
        assert not error.value.stops_account


@pytest.mark.parametrize("key", [CANARY, f"{CANARY}\n", f"{CANARY}\r\nX: y"])
def test_no_key_is_left_in_what_the_loader_writes_of_a_failure(
    tmp_path: Path, key: str
) -> None:
    """dlt keeps the error of a run, with its texts, in trace.pickle."""
    with vendor_server() as server:
        server.send = lambda: [b"HTTP/1.1 401 x\r\nContent-Length: 2\r\n\r\n{}"]
        windows = day_windows("calls", "2026-03-01", "2026-03-02")
        address = f"http://127.0.0.1:{server.port}"
        settings = {"api_key": key, "base_url": address}
        source = dlt_source("main", windows, connect("whippy", settings))
        pipeline = dlt.pipeline(
            "whippy",
            pipelines_dir=str(tmp_path / "dlt"),
            destination=dlt.destinations.duckdb(str(tmp_path / "whippy.duckdb")),
        )
        with pytest.raises(PipelineStepFailed):
            pipeline.run(source, loader_file_format="parquet")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "trace.pickle" for path in written)
    leaks = [path for path in written if CANARY.encode() in path.read_bytes()]
    assert leaks == []
