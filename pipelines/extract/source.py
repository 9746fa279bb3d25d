"""The source of one account, as a vendor's module returns it: client and endpoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from pipelines.extract.client import PATIENCE_SECONDS, READ_SECONDS, Auth, Client
from pipelines.extract.errors import ClassifyError
from pipelines.extract.window_reader import Fetch, ReadOptions
from pipelines.planning.stream import Stream

ZeroOrMore = Annotated[int, msgspec.Meta(ge=0)]


class SourceSettings(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The settings of an account of any vendor; a vendor's subclass adds its own.

    A key without a default is a credential that the account needs. A number must be
    more than 0, except where its type is `ZeroOrMore`.
    """

    base_url: str = ""
    page_size: int = 100
    """Records per page."""
    requests_per_second: float = 4.0
    concurrency: int = 1
    """Windows of the account that are read at the same time."""
    daily_requests: ZeroOrMore = 0
    """Requests that the account may send in a UTC day; 0: no limit."""
    patience_seconds: float = PATIENCE_SECONDS
    """Seconds that a run waits for the vendor in all."""
    free_without_charge: bool = False
    """Whether a settled call without a cost was free, in the cost per settled call."""

    def __repr__(self) -> str:
        """Return the class without values, for some of them are credentials."""
        return f"{type(self).__name__}(...)"


@dataclass(frozen=True)
class Endpoint:
    """A stream and the function that reads one window of it, page by page."""

    stream: Stream
    fetch: Fetch


@dataclass(frozen=True)
class Source:
    """The client of one account, and its endpoints in the order they are read."""

    client: Client
    endpoints: Sequence[Endpoint]
    concurrency: int = 1
    """Windows that are read at the same time."""


def client_of(
    vendor: str,
    settings: SourceSettings,
    options: ReadOptions,
    auth: Auth,
    classify_error: ClassifyError,
    *,
    read_seconds: float = READ_SECONDS,
) -> Client:
    """Return the client of an account, at its pace and within its quota.

    ``classify_error`` reads the vendor's error bodies. ``read_seconds`` is how long a
    response may take to begin. Raises `VendorError` for a base URL that cannot be used.
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
        classify_error=classify_error,
        read_seconds=read_seconds,
    )
