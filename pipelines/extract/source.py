"""What a vendor's module returns: a client, and the endpoints it lists records from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from pipelines.extract.client import PATIENCE_SECONDS, READ_SECONDS, Auth, Client
from pipelines.extract.errors import Refused
from pipelines.extract.window_reader import Fetch, ReadOptions
from pipelines.planning.stream import Stream

ZeroOrMore = Annotated[int, msgspec.Meta(ge=0)]


class SourceSettings(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """What can be configured for an account of any vendor; a vendor adds its own keys.

    A key without a default is a credential that the account needs. All numbers but
    those of `ZeroOrMore` are more than 0.
    """

    base_url: str = ""
    page_size: int = 100
    """Records of a page."""
    requests_per_second: float = 4.0
    concurrency: int = 1
    """Windows of the account that are read at the same time."""
    daily_requests: ZeroOrMore = 0
    """The account's quota in a UTC day; 0: it has none."""
    patience_seconds: float = PATIENCE_SECONDS
    """How long a run waits for the vendor in all."""

    def __repr__(self) -> str:
        """Return no value, for some of them are credentials."""
        return f"{type(self).__name__}(...)"


@dataclass(frozen=True)
class Endpoint:
    """One stream, and the function that reads a window of it page by page."""

    stream: Stream
    fetch: Fetch


@dataclass(frozen=True)
class Source:
    """One account of a vendor: its endpoints in the order in which they are read."""

    client: Client
    endpoints: Sequence[Endpoint]
    concurrency: int = 1
    """Windows that are read at the same time."""


def client_of(
    vendor: str,
    settings: SourceSettings,
    options: ReadOptions,
    auth: Auth,
    refused: Refused,
    *,
    read_seconds: float = READ_SECONDS,
) -> Client:
    """Return the client of an account, at its pace and within its quota.

    ``refused`` reads the vendor's error bodies; ``read_seconds`` is how long an answer
    may take to begin. Raises `VendorError` for an address that cannot be used.
    """
    return Client(
        vendor,
        settings.base_url,
        auth,
        requests_per_second=settings.requests_per_second,
        daily_requests=settings.daily_requests,
        requests_today=options.requests_today,
        patience_seconds=settings.patience_seconds,
        run=options.run,
        refused=refused,
        read_seconds=read_seconds,
    )
