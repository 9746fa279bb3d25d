"""A vendor on loopback, which a test tells what to answer."""

import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from patience import PATIENCE

outlasted: list[bytes] = []
"""What was dripped to a client that listened to the end."""


@dataclass
class Answer:
    """One scripted answer."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    """How many promised bytes never come."""


class Request(NamedTuple):
    """One request, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class VendorServer:
    """What a vendor answers, and what it was asked.

    It answers in one of three ways: ``answers`` in turn, ``always`` from the path and
    the body, or ``send``, bytes that need not be HTTP.
    """

    port: int = 0
    answers: list[Answer] = field(default_factory=list)
    always: Callable[[str, bytes], Answer] | None = None
    send: Callable[[], Iterable[bytes]] | None = None
    """Called for each request; its parts are sent one by one."""
    got: list[Request] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    """What came before ``send`` was called, byte for byte."""
    unforeseen: list[str] = field(default_factory=list)
    """Requests that the test has no answer for."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, request: Request) -> Answer:
        """Return the next answer, or one that a client does not ask again after."""
        self.got.append(request)
        try:
            if self.always:
                return self.always(request.path, request.body)
            return self.answers.pop(0)
        except Exception as error:  # noqa: BLE001 - the test fails of it at its end
            place = f"{request.method} {request.path}"
            self.unforeseen.append(f"{place} ({type(error).__name__}: {error})")
            return Answer(f"the test has no answer for {place}".encode(), 400)


def by_path(answers: Mapping[str, bytes]) -> Callable[[str, bytes], Answer]:
    """Answer each path with its bytes, whatever the rest of the request is."""
    return lambda path, _: Answer(answers[urlsplit(path).path])


def dripping(part: bytes, first: bytes = b"") -> Iterator[bytes]:
    """Give a few bytes again and again, slowly, until nobody listens any more."""
    yield first
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        time.sleep(0.02)
        yield part
    outlasted.append(part)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, vendor: VendorServer, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.vendor, self.tls = vendor, tls
        vendor.port = self.server_address[1]

    def finish_request(self, request: Any, address: Any) -> None:  # noqa: ANN401
        # A client that goes away or refuses a certificate is what a test is about.
        with suppress(OSError):
            super().finish_request(request, address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def setup(self) -> None:
        self.request.getpeername()  # ssl leaks the socket of who has gone already
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        send = self.server.vendor.send
        if send is None:
            super().handle()
            return
        asked = b""
        while b"\r\n\r\n" not in asked and (more := self.request.recv(65536)):
            asked += more
            if not asked[:1].isalpha():
                break  # TLS, or whatever else this is
        self.server.vendor.requests.append(asked)
        for part in send():
            self.request.sendall(part)

    def finish(self) -> None:
        with self.request:  # the server closes the socket below TLS, but not this one
            super().finish()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {key.lower(): value for key, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body)
        found = self.server.vendor.answer(request)
        self.send_response(found.status)
        for name, value in found.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(found.body) + found.cut))
        self.end_headers()
        self.wfile.write(found.body)

    do_GET = do_POST = answer  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def vendor_server(tls: ssl.SSLContext | None = None) -> Iterator[VendorServer]:
    """Serve until the test ends, which fails if it had no answer to a request."""
    vendor = VendorServer()
    with _Server(vendor, tls) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield vendor
        finally:
            server.shutdown()
            thread.join()
            if vendor.unforeseen:
                pytest.fail("no answer was given for: " + "; ".join(vendor.unforeseen))
