"""One loopback HTTP server for the five vendors and the sandbox's own endpoints."""

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from pipelines.sandbox import faults
from pipelines.sandbox.control import Sandbox, control
from pipelines.sandbox.wire import Request, Response, reply

OK = 200
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
            return control(sandbox, request)
        if vendor is None:
            return reply({"error": "no such vendor"}, 404)
        fault = faults.take(sandbox.faults, vendor, request.path)
    if fault is not None and fault.kind == "slow":
        time.sleep(fault.seconds)
    with lock:
        response = _ask(sandbox, vendor, request, fault)
        sandbox.requests[vendor, request.path, response.status] += 1
    return response


def _ask(
    sandbox: Sandbox, vendor: str, request: Request, fault: faults.Fault | None
) -> Response:
    if fault is not None:
        if fault.kind == "expire_token":
            sandbox.world.tokens[vendor].held.clear()
        other = faults.instead(fault)
        if other is not None:
            return other
    response = sandbox.answers[vendor](request)
    if response.status != OK:
        return response
    page = (vendor, request.path)
    previous = sandbox.previous.get(page)
    if fault is None:
        sandbox.previous[page] = response
        return response
    return faults.spoil(fault, response, previous)


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
            length = int(self.headers.get("Content-Length") or 0)
            target = urlsplit(self.path)
            request = Request(
                method=self.command,
                path=unquote(target.path),
                query=tuple(parse_qsl(target.query, keep_blank_values=True)),
                headers=self.headers,
                body=self.rfile.read(length) if length else b"",
            )
            self._send(respond(sandbox, lock, request))

        def _send(self, response: Response) -> None:
            self.send_response(response.status)
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


class LoopbackServer(ThreadingHTTPServer):
    """A server whose threads die with it and whose queue takes a burst."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away; anything else is a bug: show it."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]
