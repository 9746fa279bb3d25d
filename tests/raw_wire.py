"""A server that sends bytes as they are, with or without TLS."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

LONGEST = 20.0
"""Seconds that a connection is kept busy at most: a client that hangs ends then."""
outlasted: list[bytes] = []
"""What was dripped to a client that listened to the end."""


@dataclass
class RawServer:
    """What it sends next, and how many connections it has had."""

    port: int
    send: Callable[[], Iterable[bytes]] = lambda: [b""]
    """Called for each request; its parts are sent one by one."""
    requests: list[bytes] = field(default_factory=list)


def dripping(part: bytes, first: bytes = b"") -> Iterator[bytes]:
    """Give a few bytes again and again, slowly, until nobody listens any more."""
    yield first
    began = time.monotonic()
    while time.monotonic() - began < LONGEST:
        time.sleep(0.02)
        yield part
    outlasted.append(part)


@contextmanager
def raw_server(tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    server = RawServer(listener.getsockname()[1])

    def serve(connection: socket.socket) -> None:
        # A client that goes away or refuses a certificate is what a test is about.
        with suppress(OSError), connection:
            connection.getpeername()  # ssl leaks the socket of who has gone already
            talk = tls.wrap_socket(connection, server_side=True) if tls else connection
            with talk:
                asked = b""
                while b"\r\n\r\n" not in asked and (more := talk.recv(65536)):
                    asked += more
                    if not asked[:1].isalpha():
                        break  # TLS, or whatever else this is
                server.requests.append(asked)
                for part in server.send():
                    talk.sendall(part)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
