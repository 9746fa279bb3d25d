"""Each fault of the wire, met by a real load of each vendor: absorbed, or told.

One load of a vendor reads one day of many accounts; each account is a case, whose
answers `harness.wire` spoils. What a load calls complete is the truth of the sandbox;
what it does not is read by the next load, without the fault.
"""

import gzip
import json
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import reading
import trustme
from conftest import VENDORS as _V
import os
VENDORS = tuple(os.environ.get("WV", ",".join(_V)).split(","))
from harness.truth import Call, Key, Published, calls_of, differences, published
from harness.wire import FOREVER, Case, Proxy, Step, Turn, serving, stranger
from patience import PATIENCE
from sandbox_control import control, stamp

from pipelines.commands.build import build_and_publish
from pipelines.config.loader import read_config
from pipelines.config.model import Account, Config, Vendor
from pipelines.extract import client as http
from pipelines.extract import pagination
from pipelines.load import loader
from pipelines.planning.windows import DAY, read_time
from pipelines.sandbox import faults
from pipelines.sandbox.process import Sandbox, running_sandbox
from pipelines.sandbox.wire import Response, encode
from pipelines.warehouse.journal import LoadResult

FIRST_DAY = read_time("2026-12-01T00:00:00Z")
"""The first of a month, since EvoVoice is loaded by whole months."""
NIGHT = FIRST_DAY + DAY + timedelta(minutes=4)
LATER = NIGHT + timedelta(hours=4)
BODY_BYTES = 1 << 20

COMPLETE, RETRIED, ASIDE, OPEN = "complete", "retried", "quarantined", "open"


def half(turn: Turn) -> bytes:
    return turn.answer.body[: len(turn.answer.body) // 2]


def cut_chunk(turn: Turn) -> Iterator[Step]:
    yield turn.answer.head(None, "Transfer-Encoding: chunked")
    yield b"%x\r\n" % len(turn.answer.body) + half(turn)
    yield "close"


def without_length(turn: Turn) -> Iterator[Step]:
    yield turn.answer.head(None, "Connection: close") + half(turn)
    yield "close"


def drip(turn: Turn) -> Iterator[Step]:
    yield turn.answer.head(100_000)
    for _ in range(PATIENCE * 50):
        yield b" "
        time.sleep(0.02)


def packed(turn: Turn, body: bytes) -> bytes:
    return turn.answer.whole(body, "Content-Encoding: gzip")


def bomb(turn: Turn) -> Iterator[Step]:
    yield packed(turn, gzip.compress(b" " * (4 * BODY_BYTES) + turn.answer.body))


def status(code: int, *headers: str, body: bytes = b"{}") -> Callable[[Turn], list[Step]]:
    return lambda turn: [turn.answer.whole(body, *headers, status=f"{code} x")]


def to(path: str, code: int = 302) -> Callable[[Turn], list[Step]]:
    """Redirect to a stranger, or to a path of the same host."""
    return lambda turn: [
        turn.answer.whole(
            b"",
            f"Location: {path.replace('ELSEWHERE', turn.elsewhere)}",
            status=f"{code} x",
        )
    ]


def body(change: Callable[[bytes], bytes], *more: str) -> Callable[[Turn], list[Step]]:
    return lambda turn: [turn.answer.whole(change(turn.answer.body), *more)]


def of_sandbox(kind: str, **more: Any) -> Callable[[Turn], list[Step]]:  # noqa: ANN401
    """Spoil an answer as a fault of the sandbox does."""

    def spoil(turn: Turn) -> list[Step]:
        fault = faults.Fault(turn.vendor, kind, **more)
        if other := faults.instead(fault, NIGHT):
            return [turn.answer.whole(other.body, status=f"{other.status} x")]
        memory = faults.Memory(last=Response(200, turn.first.body))
        found = faults.spoil(fault, Response(200, turn.answer.body), memory)
        return [turn.answer.whole(found.body)]

    return spoil


def endless(turn: Turn) -> list[Step]:
    """Send one record a page, each another one, and promise more for ever."""
    found = json.loads(turn.answer.body)
    records, name, *_ = faults.SHAPES[turn.vendor]
    (one, *_) = json.loads(turn.first.body)[records]
    new = 10**9 + turn.number if turn.vendor == "voximplant" else f"new-{turn.number}"
    found[records] = [one | {name: new}]
    found[faults.TOTALS[turn.vendor]] = 5000
    more = {"evovoice": {"hasMorePages": True}, "zoom": {"next_page_token": f"{new}"}}
    return [turn.answer.whole(encode(found | more.get(turn.vendor, {})))]


def empty_page(turn: Turn) -> list[Step]:
    found = json.loads(turn.answer.body)
    found[faults.SHAPES[turn.vendor][0]] = []
    return [turn.answer.whole(encode(found))]


def links(turn: Turn) -> list[Step]:
    """Name a stranger's address wherever an API could name that of a next page."""
    keys = ("next", "nextPage", "next_page", "nextLink", "@odata.nextLink")
    named = json.loads(turn.answer.body) | {
        **dict.fromkeys(keys, f"{turn.elsewhere}/next"),
        "links": {"next": f"{turn.elsewhere}/next"},
    }
    header = f'Link: <{turn.elsewhere}/next>; rel="next"'
    return [turn.answer.whole(encode(named), header)]


def twice_key(turn: Turn) -> list[Step]:
    """Repeat the key of the records at the end of an answer, empty."""
    again = b', "%s": []}' % faults.SHAPES[turn.vendor][0].encode()
    return [turn.answer.whole(turn.answer.body.rstrip()[:-1] + again)]


def soon(form: Callable[[datetime], str]) -> Callable[[Turn], list[Step]]:
    def spoil(turn: Turn) -> list[Step]:
        wait = f"Retry-After: {form(datetime.now(UTC))}"
        return [turn.answer.whole(b"{}", wait, status="429 x")]

    return spoil


def http_date(seconds: int) -> Callable[[datetime], str]:
    return lambda now: format_datetime(now + timedelta(seconds=seconds), usegmt=True)


@dataclass(frozen=True)
class Expected:
    """A fault, and what must become of the account that has it."""

    case: Case
    outcome: str
    but: Mapping[str, str] | None = None
    """Vendors with another outcome."""

    def of(self, vendor: str) -> str:
        return (self.but or {}).get(vendor, self.outcome)


def once(spoil: Callable[[Turn], Iterable[Step]], outcome: str = RETRIED, **more: Any) -> Expected:  # noqa: ANN401, E501
    return Expected(Case(spoil), outcome, **more)


def ever(spoil: Callable[[Turn], Iterable[Step]], outcome: str = OPEN, **more: Any) -> Expected:  # noqa: ANN401, E501
    return Expected(Case(spoil, FOREVER), outcome, **more)


def later(spoil: Callable[[Turn], Iterable[Step]], outcome: str = RETRIED, **more: Any) -> Expected:  # noqa: ANN401, E501
    return Expected(Case(spoil, page=2), outcome, **more)


FIXED_KEY = dict.fromkeys(("evovoice", "whippy"), OPEN)
"""Vendors whose credential does not expire, so that a 401 is final."""
IN_PARTS = {"whippy": COMPLETE}
"""A vendor whose day is read in parts, which are other questions, if its total says
that records are missing."""
TRANSPORT = {
    "reset": once(lambda _: ["reset"]),
    "reset-ever": ever(lambda _: ["reset"]),
    "closed": once(lambda _: ["close"]),
    "reset-in-body": once(
        lambda turn: [turn.answer.head(len(turn.answer.body)) + half(turn), "reset"]
    ),
    "short-body": once(
        lambda turn: [turn.answer.head(len(turn.answer.body)) + half(turn), "close"]
    ),
    "short-body-ever": ever(
        lambda turn: [turn.answer.head(len(turn.answer.body)) + half(turn), "close"]
    ),
    "cut-chunk": once(cut_chunk),
    "without-length": once(without_length),
    "without-length-ever": ever(without_length),
    "half-json": once(lambda turn: [turn.answer.whole(half(turn))]),
    "half-json-ever": ever(lambda turn: [turn.answer.whole(half(turn))]),
    "gzip-garbage": once(lambda turn: [packed(turn, b"\x1f\x8b\x08" + half(turn))]),
    "gzip-garbage-ever": ever(lambda turn: [packed(turn, b"no gzip")]),
    "gzip-cut": once(
        lambda turn: [packed(turn, gzip.compress(turn.answer.body)[:-20])]
    ),
    "gzip-without-end": once(
        lambda turn: [packed(turn, gzip.compress(turn.answer.body)[:-8])], COMPLETE
    ),
    "deflate": once(
        lambda turn: [
            turn.answer.whole(
                zlib.compress(turn.answer.body), "Content-Encoding: deflate"
            )
        ],
        COMPLETE,
    ),
    "bomb": once(bomb, OPEN),
    "drip": once(drip),
    "hangs": once(lambda _: ["hang"]),
    "redirect-circle": ever(to("")),
    "redirect-elsewhere": ever(to("ELSEWHERE/collect")),
    "redirect-with-body": ever(to("ELSEWHERE/collect", 307)),
    "redirect-moved": ever(to("//[::1", 301)),
    "web-page": once(
        lambda turn: [turn.answer.whole(faults.HTML, status="200 OK")], OPEN
    ),
    "status-202": once(lambda turn: [turn.answer.whole(status="202 x")], OPEN),
    "status-204": once(status(204, body=b""), OPEN),
    "status-206": once(lambda turn: [turn.answer.whole(status="206 x")], OPEN),
    "mark": once(body(lambda of: b"\xef\xbb\xbf" + of), COMPLETE),
    "utf-16": ever(
        body(lambda of: of.decode().encode("utf-16"), "X-Charset: utf-16")
    ),
    "latin-1": once(
        body(lambda of: of.replace(b"[{", b'[{"note":"\xe9",', 1)), ASIDE
    ),
    "nan": ever(body(lambda of: of.replace(b"{", b'{"x":NaN,', 1))),
    "double-key": ever(twice_key),
    "answered-twice": once(lambda turn: [turn.answer.whole() * 2], COMPLETE),
    "closed-between-pages": Expected(
        Case(lambda turn: [turn.answer.whole(), "close"]), COMPLETE
    ),
    "reset-between-pages": Expected(
        Case(lambda turn: [turn.answer.whole(), "reset"]), COMPLETE
    ),
    "closed-before-page-2": later(lambda _: ["close"]),
    "of-yesterday": Expected(
        Case(lambda turn: [turn.answer.whole()], FOREVER, of_yesterday=True), OPEN
    ),
}
"""By its name, which is the account's: section T of docs/promises.md."""
PROTOCOL = {
    "wait-seconds": once(status(429, "Retry-After: 0.1")),
    "wait-date": once(soon(http_date(1))),
    "wait-past": once(soon(http_date(-60))),
    "wait-iso": once(soon(lambda now: now.isoformat(timespec="seconds"))),
    "wait-day": once(status(429, "Retry-After: 86400"), OPEN),
    "429": once(status(429)),
    "429-ever": ever(status(429)),
    "500": once(status(500)),
    "500-ever": ever(status(500)),
    "500-page-2": later(status(500)),
    "500-page-2-ever": Expected(Case(status(500), FOREVER, page=2), OPEN),
    "503": once(status(503)),
    "401": once(status(401), but=FIXED_KEY),
    "401-page-2": later(status(401), but=FIXED_KEY),
    "401-ever": ever(status(401)),
    "403-ever": ever(status(403)),
    "404-ever": ever(status(404)),
    "error-200": ever(of_sandbox("error200")),
    "error-beside": ever(of_sandbox("error_beside")),
    "no-records": ever(of_sandbox("missing_key")),
    "null-records": ever(of_sandbox("null_records")),
    "renamed": ever(of_sandbox("renamed_key")),
    "another-total": Expected(
        Case(of_sandbox("inexact_total"), page=2), COMPLETE
    ),
    "empty-page-2": Expected(Case(empty_page, FOREVER, page=2), OPEN, IN_PARTS),
    "same-page": Expected(Case(of_sandbox("repeat_page"), FOREVER, page=2), OPEN),
    "endless": Expected(Case(endless, FOREVER, page=0), OPEN),
    "links": ever(links, COMPLETE),
}
"""Section P of docs/promises.md."""
CASES = {**TRANSPORT, **PROTOCOL}
REFUSED = ("refused", "unknown-name")
PAGED = {
    name
    for name, one in CASES.items()
    if one.case.page == 2 or "between-pages" in name
}
"""Cases for which a day must have several pages."""
WRONG_TLS: Mapping[str, Callable[[trustme.CA], trustme.LeafCert]] = {
    "tls-expired": lambda ca: ca.issue_cert(
        "localhost", not_after=datetime.now(UTC) - DAY
    ),
    "tls-other-host": lambda ca: ca.issue_cert("other.example"),
    "tls-unknown": lambda _: trustme.CA().issue_cert("localhost"),
}


@dataclass(frozen=True)
class Night:
    """What became of every account in a load of each vendor, and of the build."""

    results: Mapping[str, LoadResult]
    ledger: Mapping[tuple[str, str], list[reading.Row]]
    """Ledger rows of the last load, by vendor and account."""
    found: Published


@dataclass(frozen=True)
class Matrix:
    """All cases of all vendors: the night of the faults, and the next."""

    proxy: Proxy
    strangers: list[bytes]
    faulty: Night
    healthy: Night
    truth: Mapping[str, Mapping[Key, Call]]
    """Each vendor's calls, as those of one account."""


def outcome_of(rows: Iterable[reading.Row]) -> str:
    rows = list(rows)
    if not rows or any(row["state"] != "complete" for row in rows):
        return OPEN
    if any(row["rows_quarantined"] for row in rows):
        return ASIDE
    return RETRIED if any(row["retries"] for row in rows) else COMPLETE


def night(
    config: Config, accounts: Mapping[str, tuple[Account, ...]], now: datetime
) -> Night:
    """Load some accounts of each vendor, and build."""
    results, ledger = {}, {}
    house = reading.House(config.warehouse.root, {})
    for vendor in config.vendors:
        print(time.time(), time.process_time(), vendor.name, flush=True)
        some = replace(vendor, accounts=accounts[vendor.name])
        results[vendor.name] = loader.load(some, config, now, lambda *_: None)
        names = ("account", "state", "reason", "error", "retries", "rows_quarantined")
        rows = house.raw(
            vendor.name,
            f"select {', '.join(names)} from raw.load_windows "
            f"where started_at >= timestamptz '{stamp(now)}'",
        )
        for row in rows:
            named = dict(zip(names, row, strict=True))
            ledger.setdefault((vendor.name, row[0]), []).append(named)
    print(time.time(), time.process_time(), "build", flush=True)
    every = tuple(replace(one, accounts=accounts[one.name]) for one in config.vendors)
    build_and_publish(replace(config, vendors=every), now)
    print(time.time(), time.process_time(), "built", flush=True)
    return Night(results, ledger, published(config.warehouse.published))


def accounts_of(
    vendor: Vendor, names: Iterable[str], places: Mapping[str, str]
) -> tuple[Account, ...]:
    """Return an account for each case: the vendor's own, at another address."""
    (own,) = vendor.accounts
    found = []
    for name in names:
        urls = {
            key: f"{places.get(name, places['']) if key == 'base_url' else places['']}"
            f"/{name}{urlsplit(url).path}"
            for key in ("base_url", "token_url", "login_url")
            if (url := getattr(own.settings, key, ""))
        }
        size = 5 if name in PAGED else 100
        settings = msgspec.structs.replace(own.settings, **urls, page_size=size)
        found.append(replace(own, alias=name, settings=settings))
    return tuple(found)


def unknown_names(ask: Callable[..., Any]) -> Callable[..., Any]:
    """Let no network know the names of .invalid, as none should."""

    def getaddrinfo(host: Any, *more: Any, **named: Any) -> Any:  # noqa: ANN401
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ask(host, *more, **named)

    return getaddrinfo


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    folder = tmp_path_factory.mktemp("wire")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(loader, "BATCH_WINDOWS", 1000)
        patch.setattr(http, "ATTEMPTS", 3)
        patch.setattr(http, "LONGEST_BACKOFF", 0.0)
        patch.setattr(http, "DEADLINE_SECONDS", 1.5)
        patch.setattr(http, "BODY_BYTES", BODY_BYTES)
        patch.setattr(pagination, "MOST_PAGES", 12)
        patch.setattr(socket, "getaddrinfo", unknown_names(socket.getaddrinfo))
        patch.setenv("REQUESTS_CA_BUNDLE", str(folder / "ca.pem"))
        sandbox = stack.enter_context(running_sandbox(NIGHT, volume=12))
        elsewhere, asked = stack.enter_context(stranger())
        only = os.environ.get("WC")
        if only:
            for n in list(CASES):
                if n not in only.split(","): del CASES[n]
        cases = {name: one.case for name, one in CASES.items()}
        proxy = Proxy(sandbox.url, cases, elsewhere=elsewhere)
        port = stack.enter_context(serving(proxy))
        places = {"": f"http://127.0.0.1:{port}"}
        healthy = {**places}
        for name, issue in {**WRONG_TLS, "tls": good}.items():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            issue(authority).configure_cert(context)
            port = stack.enter_context(serving(proxy, context))
            places[name] = f"https://localhost:{port}"
        places["refused"] = f"http://127.0.0.1:{closed_port()}"
        places["unknown-name"] = "https://vendor.invalid"
        environment = {**sandbox.environment, "CALLHOUSE__HISTORY_DAYS": "1"}
        environment["CALLHOUSE__WAREHOUSE"] = str(folder / "warehouse")
        config = read_config(folder, environment)
        config = replace(config, vendors=tuple(v for v in config.vendors if v.name in VENDORS))
        names = [*CASES, *REFUSED, *WRONG_TLS, "tls"]
        faulty = night(
            config,
            {one.name: accounts_of(one, names, places) for one in config.vendors},
            NIGHT,
        )
        proxy.cases = {}
        control(sandbox, "clock", now=stamp(LATER))
        again = {
            one.name: accounts_of(
                one,
                [n for n in names if outcome_of(faulty.ledger[one.name, n]) == OPEN],
                healthy,
            )
            for one in config.vendors
        }
        truth = {
            vendor: calls_of(sandbox, vendor, FIRST_DAY, LATER) for vendor in VENDORS
        }
        yield Matrix(
            proxy, asked, faulty, night(config, again, LATER), truth
        )


def good(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("localhost")


def expected_of(vendor: str) -> dict[str, str]:
    """Return the outcome of each case that is due."""
    due = {name: one.of(vendor) for name, one in CASES.items()}
    return {**due, **dict.fromkeys((*REFUSED, *WRONG_TLS), OPEN), "tls": COMPLETE}


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_fault_is_absorbed_or_told(matrix: Matrix, vendor: str) -> None:
    ledger = matrix.faulty.ledger
    due = expected_of(vendor)
    found = {name: outcome_of(ledger.get((vendor, name), ())) for name in due}
    print(ledger.get((vendor,'endless')))
    assert found == due
    for name, outcome in due.items():
        assert outcome != OPEN or any(row["error"] for row in ledger[vendor, name])


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_fault_took_effect(matrix: Matrix, vendor: str) -> None:
    assert [name for name in CASES if not matrix.proxy.hits[name, vendor]] == []
