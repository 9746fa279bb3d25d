"""One deadline over a whole exchange: proxy, request, header and body.

A read timeout bounds the wait for the next byte, so that a vendor that sends one a
minute is waited for without end. Here the connection is shut down when its time is
over, whoever reads from it just then; TLS makes no difference.
"""

import socket
import threading
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool


class Deadline:
    """Shuts down the connection in use when it has taken too long."""

    def __init__(self, seconds: float) -> None:
        """Start nothing yet."""
        self.seconds = seconds
        self.is_over = False
        self._socket: socket.socket | None = None
        self._turn = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        """Start the clock for what this thread sends."""
        _own.deadline = self
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the clock; the connection may serve the next exchange."""
        self._timer.cancel()
        with self._turn:
            self._socket = None
        _own.deadline = None

    def watch(self, connection: socket.socket | None) -> None:
        """Watch another connection from now on."""
        with self._turn:
            self._socket = connection
            if self.is_over:
                self._shut_down()

    def _end(self) -> None:
        with self._turn:
            self.is_over = True
            self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is None:
            return
        try:
            # As a plain socket: TLS would first want to say goodbye.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError:
            return  # nobody is connected any more, so nobody waits


class _Own(threading.local):
    deadline: Deadline | None = None


_own = _Own()


def _watch(connection: HTTPConnection) -> None:
    if _own.deadline is not None:
        _own.deadline.watch(connection.sock)


class _Plain(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _watch(self)

    def _tunnel(self) -> None:
        _watch(self)
        super()._tunnel()

    def getresponse(self) -> Any:  # noqa: ANN401
        _watch(self)
        return super().getresponse()


class _Secure(_Plain, HTTPSConnection):
    """The same over TLS."""


class Adapter(HTTPAdapter):
    """Opens connections that keep to the deadline of their thread."""

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,  # noqa: FBT001 - as requests has it
        proxies: Any = None,  # noqa: ANN401
        cert: Any = None,  # noqa: ANN401
    ) -> HTTPConnectionPool:
        """Return the pool of connections to a host."""
        pool: Any = super().get_connection_with_tls_context(
            request, verify, proxies, cert
        )
        pool.ConnectionCls = _Secure if pool.scheme == "https" else _Plain
        return pool  # type: ignore[no-any-return]
