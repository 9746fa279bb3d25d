"""A proxy in raw sockets between a load and the sandbox, which spoils answers.

Each case is an account of its own, known by the first part of its address, so that
one load of a vendor meets all cases: ``/case/zoom/v2/...`` is asked of the sandbox as
``/zoom/v2/...``. What comes back is sent on as it is, or as the case spoils it.
"""

import re
import socket
import socketserver
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from http.client import HTTPConnection, parse_headers
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from patience import PATIENCE

from pipelines.planning.windows import DAY
from pipelines.sandbox.credentials import TWIN_PATH, WHIPPY_PATH
from pipelines.sandbox.faults import is_later_page
from pipelines.sandbox.server import VENDORS
from pipelines.sandbox.wire import Question, Request

Step = bytes | Literal["reset", "close", "hang"]
"""Bytes to send, or what becomes of the connection; else it is kept."""
LISTS = (
    *("/contact_center/voice_calls", "/GetCallHistory", "/sessions"),
    *(TWIN_PATH, WHIPPY_PATH),
)
"""Where each vendor lists its calls."""
SIGNS = ("Authorization", "Cookie", "X-WHIPPY-KEY")
"""Headers in which vendors get a credential."""
FOREVER = 1_000_000
OK = 200


_DAY = re.compile(rb"20\d\d-\d\d-\d\d")


def earlier(text: bytes, by: timedelta) -> bytes:
    """Return a request with each day in it moved back."""
    return _DAY.sub(
        lambda found: str(date.fromisoformat(found[0].decode()) - by).encode(), text
    )


@dataclass(frozen=True)
class Answer:
    """What the sandbox has answered."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def head(self, length: int | None, *more: str, status: str = "200 OK") -> bytes:
        """Return the first bytes of a response; ``length`` None: without a length."""
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {of}" for name, of in self.headers)]
        if length is not None:
            lines.append(f"Content-Length: {length}")
        return "\r\n".join([*lines, *more, "", ""]).encode()

    def whole(self, body: bytes | None = None, *more: str, status: str = "") -> bytes:
        """Return the whole response, with another body or another status."""
        sent = self.body if body is None else body
        return self.head(len(sent), *more, status=status or f"{self.status} x") + sent


@dataclass(frozen=True)
class Turn:
    """One answer that is about to be spoiled."""

    vendor: str
    answer: Answer
    first: Answer
    """The first answer to the same question: of its first page."""
    number: int
    """How many answers of the case were spoiled before."""
    elsewhere: str
    """The address of a stranger, of whom nothing must ever be asked."""


Spoil = Callable[[Turn], Iterable[Step]]
Ask = Callable[[timedelta], Answer]
"""Asks the sandbox what was asked, of so much earlier."""


@dataclass(frozen=True)
class Case:
    """How answers to the first question of an account are spoiled."""

    spoil: Spoil
    times: int = 1
    """How many of them."""
    page: Literal[0, 1, 2] = 1
    """Of which page; 2 is any later one, 0 is every one."""
    of_yesterday: bool = False
    """The answer is that to the question of a day before."""


@dataclass
class Proxy:
    """What is asked of the sandbox through it, and how it is spoiled."""

    sandbox: str
    cases: Mapping[str, Case]
    hits: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many answers were spoiled, by case and vendor."""
    elsewhere: str = ""
    credentials: set[str] = field(default_factory=set)
    """What stood in the headers that sign requests."""
    _meant: dict[tuple[str, str], Question] = field(default_factory=dict)
    _first: dict[tuple[str, Question], Answer] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def steps(self, name: str, request: Request, ask: Ask) -> Iterable[Step]:
        """Ask the sandbox; return its answer, or what is sent instead of it."""
        vendor, case = VENDORS[request.path.split("/")[1]], self.cases.get(name)
        if case is None or not request.path.endswith(LISTS):
            return [ask(DAY * 0).whole()]
        question = request.question()
        with self._turn:
            meant = self._meant.setdefault((name, vendor), question)
            done = self.hits[name, vendor]
        is_page = case.page in {0, 2 if is_later_page(request) else 1}
        is_hit = question == meant and is_page and done < case.times
        answer = ask(DAY if is_hit and case.of_yesterday else DAY * 0)
        if answer.status != OK:
            return [answer.whole()]
        with self._turn:
            first = self._first.setdefault((name, question), answer)
            self.hits[name, vendor] += is_hit
        if not is_hit:
            return [answer.whole()]
        return case.spoil(Turn(vendor, answer, first, done, self.elsewhere))


class _Handler(socketserver.StreamRequestHandler):
    server: "_Server"

    def setup(self) -> None:
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        behind = HTTPConnection(urlsplit(self.server.proxy.sandbox).netloc)
        try:
            while line := self.rfile.readline():
                if not self._exchange(behind, line):
                    return
        finally:
            behind.close()

    def finish(self) -> None:
        with self.request, suppress(OSError):
            super().finish()

    def _exchange(self, behind: HTTPConnection, line: bytes) -> bool:
        """Answer one request; return whether the connection is kept."""
        method, target, _ = line.decode().split()
        headers = parse_headers(self.rfile)
        body = self.rfile.read(int(headers.get("Content-Length") or 0))
        signs = (headers.get(name) for name in SIGNS)
        self.server.proxy.credentials.update(filter(None, signs))
        case, _, path = target[1:].partition("/")
        asked = urlsplit(f"/{path}")
        pairs = tuple(parse_qsl(asked.query, keep_blank_values=True))
        request = Request(method, unquote(asked.path), pairs, headers, body)

        def ask(by: timedelta) -> Answer:
            target = earlier(f"/{path}".encode(), by).decode()
            behind.request(method, target, earlier(body, by), dict(headers))
            response = behind.getresponse()
            named = [
                (name, of)
                for name, of in response.getheaders()
                if name.lower() not in {"connection", "content-length", "server"}
            ]
            return Answer(response.status, tuple(named), response.read())

        for step in self.server.proxy.steps(case, request, ask):
            if isinstance(step, bytes):
                self.wfile.write(step)
            elif step == "hang":
                self.request.settimeout(PATIENCE)
                self.rfile.read(1)
                return False
            else:
                if step == "reset":
                    at_once = struct.pack("ii", 1, 0)
                    self.request.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, at_once
                    )
                return False
        return True


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, proxy: Proxy, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy, self.tls = proxy, tls

    def finish_request(self, request: Any, address: Any) -> None:  # noqa: ANN401
        # A client that goes away or refuses a certificate is what a case is about.
        with suppress(OSError):
            super().finish_request(request, address)


@contextmanager
def serving(proxy: Proxy, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve a proxy, with or without TLS, and give its port."""
    with _Server(proxy, tls) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def stranger() -> Iterator[tuple[str, list[bytes]]]:
    """Give the address of a host that nobody may ask, and what it was asked."""
    asked: list[bytes] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            asked.append(self.request.recv(65536))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()
