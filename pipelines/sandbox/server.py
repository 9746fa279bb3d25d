"""One loopback HTTP server for the five vendors and the sandbox's own endpoints."""

import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from urllib.parse import parse_qsl, unquote, urlsplit

from pipelines.sandbox import faults
from pipelines.sandbox.control import Sandbox, control
from pipelines.sandbox.wire import Request, Response, encode, reply
from pipelines.sandbox.world import World

OK = 200
KEPT_ANSWERS = 2
VENDORS = {
    "zoom": "zoom",
    "voximplant": "voximplant",
    "evovoice": "evovoice",
    "twin": "twin",
    "twin-iam": "twin",
    "whippy": "whippy",
}


def respond(sandbox: Sandbox, lock: threading.Lock, request: Request) -> Response:
    """Return the vendor's response to a request, spoiled if a fault is armed for it."""
    first = request.path.strip("/").partition("/")[0]
    vendor = VENDORS.get(first)
    with lock:
        if first == "_sandbox":
            return _dated(sandbox.world, "", control(sandbox, request))
        if vendor is None:
            nobody = reply({"error": "no such vendor"}, 404)
            return _dated(sandbox.world, "", nobody)
        fault = faults.take(sandbox.faults, vendor, request)
    if fault is not None and fault.kind == "slow":
        with sandbox.disarmed:
            sandbox.disarmed.wait(fault.seconds)
    with lock:
        response = _ask(sandbox, vendor, request, fault)
        sandbox.requests[vendor, request.path, response.status] += 1
        return _dated(sandbox.world, vendor, response)


def _dated(world: World, vendor: str, response: Response) -> Response:
    """Return the response with a Date header of the vendor's own clock."""
    header = world.dates[vendor]
    if not header.is_sent or any(name == "Date" for name, _ in response.headers):
        return response
    date = format_datetime(world.clock.now + header.ahead, usegmt=True)
    dated = ("Date", date if header.text is None else header.text)
    return replace(response, headers=(*response.headers, dated))


def _ask(
    sandbox: Sandbox, vendor: str, request: Request, fault: faults.Fault | None
) -> Response:
    if fault is not None:
        if fault.kind in faults.ENDS_TOKENS:
            sandbox.world.tokens[vendor].owners.clear()
        if fault.kind == "expire_page_token":
            sandbox.world.lost_pages.add(faults.page_token(request))
        if fault.kind in faults.CHANGES:
            _change(sandbox, fault, request)
        other = faults.instead(fault, sandbox.world.clock.now)
        if other is not None:
            fault.hits += 1
            return other
    response = sandbox.answers[vendor](request)
    if response.status != OK:
        return response
    question = request.question()
    answered = sandbox.answered.setdefault((vendor, request.path), {})
    if fault is None:
        answered.pop(question, None)
        answered[question] = response
        while len(answered) > KEPT_ANSWERS:
            del answered[next(iter(answered))]
        sandbox.totals[request.path, question] = faults.total(vendor, response)
        return response
    others = [one for asked, one in answered.items() if asked != question]
    memory = faults.Memory(
        last=next(reversed(answered.values()), None),
        other=others[-1] if others else None,
        total=sandbox.totals.get((request.path, question)),
    )
    spoiled = faults.spoil(fault, response, memory)
    # Those that are no edit work by what they did before the answer.
    fault.hits += spoiled != response or not faults.edits(fault)
    return spoiled


def _change(sandbox: Sandbox, fault: faults.Fault, request: Request) -> None:
    path, body = f"/_sandbox/{fault.change}", encode(fault.body)
    done = control(sandbox, replace(request, method="POST", path=path, body=body))
    if done.status != OK:
        raise ValueError(f"{fault.change} cannot be done: {done.body!r}")


def open_server(sandbox: Sandbox, port: int) -> ThreadingHTTPServer:
    """Return a server on 127.0.0.1 that is listening but not serving yet."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        """Reads one request, keeps the connection, and logs nothing."""

        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16
        disable_nagle_algorithm = True
        timeout = 600

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing: a request carries credentials and numbers."""

        def _serve(self) -> None:
            target = urlsplit(self.path)
            request = Request(
                method=self.command,
                path=unquote(target.path),
                query=tuple(parse_qsl(target.query, keep_blank_values=True)),
                headers=self.headers,
                body=self._body(),
            )
            self._send(respond(sandbox, lock, request))

        def _body(self) -> bytes:
            if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
                return b"".join(_chunks(self.rfile))
            length = int(self.headers.get("Content-Length") or 0)
            return self.rfile.read(length) if length else b""

        def _send(self, response: Response) -> None:
            self.send_response_only(response.status)
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(response.body)))
            for name, text in response.headers:
                self.send_header(name, text)
            self.end_headers()
            if response.cut:
                self.wfile.write(response.body[: len(response.body) // 2])
                self.close_connection = True
            elif self.command != "HEAD":
                self.wfile.write(response.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815

    return LoopbackServer(("127.0.0.1", port), Handler)


def _chunks(body: BufferedIOBase) -> Iterator[bytes]:
    """Yield the chunks of a body of unknown length (RFC 9112, 7.1)."""
    while size := int(body.readline().partition(b";")[0], 16):
        yield body.read(size)
        body.readline()
    while body.readline().strip():  # trailers
        pass


class LoopbackServer(ThreadingHTTPServer):
    """A server whose threads die with it and whose queue takes a burst."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away; anything else is a bug: show it."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]
