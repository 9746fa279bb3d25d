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
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
import reading
import trustme
from conftest import VENDORS
from harness.truth import Call, Key, Published, calls_of, differences, published
from harness.wire import FOREVER, Case, Proxy, Spoil, Step, Turn, serving, stranger
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

EACH = 1
"""Vendors that meet each case in the suite; in the soak all of them do."""
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


def status(code: int, *headers: str, body: bytes = b"{}") -> Spoil:
    return lambda turn: [turn.answer.whole(body, *headers, status=f"{code} x")]


def to(path: str, code: int = 302) -> Spoil:
    """Redirect to a stranger, or to a path of the same host."""
    return lambda turn: [
        turn.answer.whole(
            b"",
            f"Location: {path.replace('ELSEWHERE', turn.elsewhere)}",
            status=f"{code} x",
        )
    ]


def body(change: Callable[[bytes], bytes], *more: str) -> Spoil:
    return lambda turn: [turn.answer.whole(change(turn.answer.body), *more)]


def of_sandbox(kind: str, **more: Any) -> Spoil:  # noqa: ANN401
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


def soon(form: Callable[[datetime], str]) -> Spoil:
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


def once(
    spoil: Spoil, outcome: str = RETRIED, but: Mapping[str, str] | None = None
) -> Expected:
    return Expected(Case(spoil), outcome, but)


def ever(
    spoil: Spoil, outcome: str = OPEN, but: Mapping[str, str] | None = None
) -> Expected:
    return Expected(Case(spoil, FOREVER), outcome, but)


def later(
    spoil: Spoil, outcome: str = RETRIED, but: Mapping[str, str] | None = None
) -> Expected:
    return Expected(Case(spoil, page=2), outcome, but)


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
    "utf-16": ever(body(lambda of: of.decode().encode("utf-16"), "X-Charset: utf-16")),
    "latin-1": once(body(lambda of: of.replace(b"[{", b'[{"note":"\xe9",', 1)), ASIDE),
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
    "another-total": Expected(Case(of_sandbox("inexact_total"), page=2), COMPLETE),
    "empty-page-2": Expected(Case(empty_page, FOREVER, page=2), OPEN, IN_PARTS),
    "same-page": Expected(Case(of_sandbox("repeat_page"), FOREVER, page=2), OPEN),
    "endless": Expected(Case(endless, FOREVER, page=0), OPEN),
    "links": ever(links, COMPLETE),
}
"""Section P of docs/promises.md."""
CASES = {**TRANSPORT, **PROTOCOL}
REFUSED = ("refused", "unknown-name")
PAGED = {
    name for name, one in CASES.items() if one.case.page == 2 or "between-pages" in name
}
"""Cases for which a day must have several pages."""
WRONG_TLS: Mapping[str, Callable[[trustme.CA], trustme.LeafCert]] = {
    "tls-expired": lambda ca: ca.issue_cert(
        "localhost", not_after=datetime.now(UTC) - DAY
    ),
    "tls-other-host": lambda ca: ca.issue_cert("other.example"),
    "tls-unknown": lambda _: trustme.CA().issue_cert("localhost"),
}


Accounts = Mapping[str, tuple[Account, ...]]
"""By vendor, accounts that are named for their cases."""


@dataclass(frozen=True)
class Night:
    """What became of every account in a load of each vendor, and of the build."""

    now: datetime
    results: Mapping[str, LoadResult]
    ledger: Mapping[tuple[str, str], list[reading.Row]]
    """Ledger rows of the load, by vendor and account."""
    found: Published
    truth: Mapping[str, Mapping[Key, Call]]
    """Each vendor's calls at that time, as those of one account."""

    def outcome(self, vendor: str, name: str) -> str:
        return outcome_of(self.ledger.get((vendor, name), ()))

    def wrong(
        self, vendor: str, names: Iterable[str], *, lost: Iterable[str]
    ) -> list[str]:
        """Return what differs from the truth in some accounts; ``lost``: may lack."""
        own = {
            name: {key._replace(account=name): of for key, of in truth.items()}
            for truth in [self.truth[vendor]]
            for name in names
        }
        calls = {key: of for part in own.values() for key, of in part.items()}
        others = {key for key in self.found.facts if key.account not in own}
        may_lack = tuple(f"account='{name}'" for name in lost)
        return [
            line
            for line in differences(
                vendor,
                calls,
                self.found,
                since=FIRST_DAY,
                now=self.now,
                excused=others,
            )
            if not (line.startswith("lost") and any(one in line for one in may_lack))
        ]


@dataclass(frozen=True)
class Matrix:
    """Cases of every vendor: the night of the faults, and the next one."""

    proxy: Proxy
    dealt: Mapping[str, tuple[str, ...]]
    """By vendor, the cases that it has here."""
    strangers: list[bytes]
    faulty: Night
    healthy: Night


def outcome_of(rows: Iterable[reading.Row]) -> str:
    rows = list(rows)
    if not rows or any(row["state"] != "complete" for row in rows):
        return OPEN
    if any(row["rows_quarantined"] for row in rows):
        return ASIDE
    return RETRIED if any(row["retries"] for row in rows) else COMPLETE


def night(
    config: Config, sandbox: Sandbox, loaded: Accounts, built: Accounts, now: datetime
) -> Night:
    """Load accounts of each vendor, and build with those that were loaded ever."""
    results: dict[str, LoadResult] = {}
    ledger: dict[tuple[str, str], list[reading.Row]] = {}
    house = reading.House(config.warehouse.root, {})
    names = ("account", "state", "error", "retries", "rows_quarantined")
    for vendor in config.vendors:
        some = replace(vendor, accounts=loaded[vendor.name])
        results[vendor.name] = loader.load(some, config, now, lambda *_: None)
        for row in house.raw(
            vendor.name,
            f"select {', '.join(names)} from raw.load_windows "
            f"where started_at >= timestamptz '{stamp(now)}'",
        ):
            named = dict(zip(names, row, strict=True))
            ledger.setdefault((vendor.name, row[0]), []).append(named)
    every = tuple(replace(one, accounts=built[one.name]) for one in config.vendors)
    build_and_publish(replace(config, vendors=every), now)
    found = published(config.warehouse.published)
    truth = {one: calls_of(sandbox, one, FIRST_DAY, now) for one in VENDORS}
    return Night(now, results, ledger, found, truth)


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


def address(url: str) -> tuple[str, int]:
    found = urlsplit(url)
    return str(found.hostname), int(found.port or 0)


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def dealt(vendor: str, *, is_whole: bool) -> tuple[str, ...]:
    """Return cases of a vendor: all, or so that each case is of `EACH` of them."""
    place = VENDORS.index(vendor)
    return tuple(
        name
        for number, name in enumerate([*CASES, *REFUSED, *WRONG_TLS, "tls"])
        if is_whole or (number + place) % len(VENDORS) < EACH
    )


def good(authority: trustme.CA) -> trustme.LeafCert:
    return authority.issue_cert("localhost")


@pytest.fixture(
    scope="module", params=["dealt", pytest.param("whole", marks=pytest.mark.soak)]
)
def matrix(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Matrix]:
    folder = tmp_path_factory.mktemp("wire")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    names = {one: dealt(one, is_whole=request.param == "whole") for one in VENDORS}
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
        environment = {
            **sandbox.environment,
            "CALLHOUSE__HISTORY_DAYS": "1",
            "CALLHOUSE__SOURCES__ZOOM__ENGAGEMENTS": "false",
            "CALLHOUSE__WAREHOUSE": str(folder / "warehouse"),
        }
        config = read_config(folder, environment)
        every = {v.name: accounts_of(v, names[v.name], places) for v in config.vendors}
        faulty = night(config, sandbox, every, every, NIGHT)
        proxy.cases = {}
        control(sandbox, "clock", now=stamp(LATER))
        left = {
            v.name: accounts_of(
                v,
                [one for one in names[v.name] if faulty.outcome(v.name, one) == OPEN],
                healthy,
            )
            for v in config.vendors
        }
        again = night(config, sandbox, left, every, LATER)
        yield Matrix(proxy, names, asked, faulty, again)


def expected_of(vendor: str, names: Iterable[str]) -> dict[str, str]:
    """Return the outcome that is due of each case."""
    due = {name: one.of(vendor) for name, one in CASES.items()}
    due |= {**dict.fromkeys((*REFUSED, *WRONG_TLS), OPEN), "tls": COMPLETE}
    return {name: due[name] for name in names}


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_fault_is_absorbed_or_told(matrix: Matrix, vendor: str) -> None:
    due = expected_of(vendor, matrix.dealt[vendor])
    assert {name: matrix.faulty.outcome(vendor, name) for name in due} == due
    result = matrix.faulty.results[vendor]
    assert not result.is_complete
    assert all(sentence.isprintable() for sentence in result.errors)
    secrets = {one.rpartition(" ")[2] for one in matrix.proxy.credentials}
    assert not [one for one in secrets if one in " ".join(result.errors)]
    for name, outcome in due.items():
        rows = matrix.faulty.ledger.get((vendor, name), ())
        assert outcome != OPEN or any(row["error"] for row in rows), name


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_fault_took_effect(matrix: Matrix, vendor: str) -> None:
    hits, meant = matrix.proxy.hits, CASES.keys() & {*matrix.dealt[vendor]}
    assert [name for name in meant if not hits[name, vendor]] == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_a_load_calls_complete_is_the_truth(matrix: Matrix, vendor: str) -> None:
    names = matrix.dealt[vendor]
    still = [name for name in names if matrix.faulty.outcome(vendor, name) == OPEN]
    assert len(matrix.faulty.truth[vendor]) > 5
    assert matrix.faulty.wrong(vendor, names, lost=still) == []


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_next_load_without_the_faults_is_complete_and_exact(
    matrix: Matrix, vendor: str
) -> None:
    names = {account for one, account in matrix.healthy.ledger if one == vendor}
    due = expected_of(vendor, matrix.dealt[vendor])
    assert names == {name for name, outcome in due.items() if outcome == OPEN}
    assert matrix.healthy.results[vendor].is_complete
    assert matrix.healthy.wrong(vendor, names, lost=()) == []


def test_no_stranger_is_ever_asked(matrix: Matrix) -> None:
    assert matrix.strangers == []
    with socket.create_connection(address(matrix.proxy.elsewhere), PATIENCE) as control:
        control.sendall(b"GET / HTTP/1.0\r\n\r\n")
        control.recv(1)
    assert len(matrix.strangers) == 1
