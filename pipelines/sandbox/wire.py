"""What every vendor's endpoint receives and returns, and the tokens they hand out."""

import hashlib
import time
from dataclasses import dataclass, field
from decimal import Decimal
from email import message_from_bytes
from email.message import Message
from email.policy import HTTP
from urllib.parse import parse_qsl

import msgspec

JSON_TYPE = "application/json; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"

Question = frozenset[tuple[str, str]]
PAGING = {
    *("limit", "offset", "timeout", "page", "count", "countperpage"),
    *("page_size", "next_page_token"),
}
"""Parameters, of any vendor, that move within the answer to one question."""

_encoder = msgspec.json.Encoder(decimal_format="number")


def _text(part: Message) -> str:
    sent = part.get_payload(decode=True)
    return sent.decode("utf-8", "replace") if isinstance(sent, bytes) else ""


def encode(value: object) -> bytes:
    """JSON with every Decimal as a number of exactly its own digits."""
    return _encoder.encode(value)


def plain(amount: Decimal) -> str:
    """Digits of an amount, never in exponent form."""
    return format(amount, "f")


@dataclass(frozen=True)
class Request:
    """One HTTP request; `headers` looks names up without regard to case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Message
    body: bytes

    def form(self) -> tuple[tuple[str, str], ...]:
        """Fields of a form body, in either encoding; empty when it is not a form."""
        kind = self.headers.get("Content-Type", "")
        if "multipart/form-data" in kind:
            head = f"Content-Type: {kind}\r\n\r\n".encode()
            parts = message_from_bytes(head + self.body, policy=HTTP).iter_parts()
            return tuple(
                (str(part.get_param("name", "", "content-disposition")), _text(part))
                for part in parts
            )
        if "x-www-form-urlencoded" not in kind:
            return ()
        return tuple(parse_qsl(self.body.decode("utf-8", "replace"), True))  # noqa: FBT003

    def document(self) -> dict[str, object] | None:
        """Return the JSON object of the body; None when it is anything else."""
        try:
            document = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return document if isinstance(document, dict) else None

    def bearer(self) -> str:
        """Return the bearer token; empty when there is none."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def question(self) -> Question:
        """Return what is asked for, whatever page of it."""
        asked = [*self.query, *self.form(), *(self.document() or {}).items()]
        named = ((name.lower(), str(value)) for name, value in asked)
        return frozenset(pair for pair in named if pair[0] not in PAGING)


@dataclass(frozen=True)
class Response:
    """One HTTP response. `cut` promises the whole body and sends half of it."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()
    cut: bool = False


class RefusedError(Exception):
    """Raised while a request is read; its text is the vendor's message."""


def reply(value: object, status: int = 200, **headers: str) -> Response:
    """Return a JSON response; underscores in header names become hyphens."""
    named = tuple((name.replace("_", "-"), text) for name, text in headers.items())
    return Response(status, encode(value), headers=named)


@dataclass
class Tokens:
    """Tokens one vendor has handed out: whose each is, and until when (monotonic)."""

    seconds: float = 3600.0
    issued: int = 0
    owners: dict[str, tuple[str, float]] = field(default_factory=dict)

    def name(self, secret: str) -> str:
        """Return a token text not used before in this process."""
        self.issued += 1
        return hashlib.sha256(f"{secret}/{self.issued}".encode()).hexdigest()

    def register(self, token: str, alias: str, seconds: float | None = None) -> str:
        """Make `token` valid for `seconds` (default: the vendor's life)."""
        life = self.seconds if seconds is None else min(seconds, self.seconds)
        self.owners[token] = (alias, time.monotonic() + life)
        return token

    def owner(self, token: str) -> str | None:
        """Alias the token stands for; None when unknown or too old."""
        alias, deadline = self.owners.get(token, ("", 0.0))
        return alias if alias and time.monotonic() < deadline else None
