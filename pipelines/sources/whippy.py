"""Whippy: the search of calls, one record per call of a person or an AI agent.

`whippy.md` has what is known of the API, and how surely.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Annotated, Any

import msgspec

from pipelines.extract.auth import HeaderKey
from pipelines.extract.client import Client
from pipelines.extract.errors import ApiError, Reply, ResultTooLargeError, meaning_of
from pipelines.extract.pagination import Envelope, Listing, Page, Turn
from pipelines.extract.source import Endpoint, Source, SourceSettings, client_of
from pipelines.extract.spans import in_halves, span_of
from pipelines.extract.window_reader import ReadOptions
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Window, read_time
from pipelines.sources import query

SEARCH_SECONDS = 60
"""Twice what the vendor allows a search by default; deep offsets are slow."""
ANSWER_SECONDS = 75.0
"""Longer than the search, so that the vendor's own error is what arrives."""
ROUND_PAGE = 50
"""A page of a multiple of this may have been capped at it."""
SHORTEST = timedelta(hours=1)
"""A search of an hour that takes too long is a vendor in trouble, not a long list."""


class Settings(SourceSettings, frozen=True, kw_only=True):
    """What one organization's account can be configured with."""

    api_key: str
    base_url: str = "https://api.whippy.co/v1"
    path: str = "/calls/search"
    page_size: Annotated[int, msgspec.Meta(le=500)] = 100
    requests_per_second: float = 10.0


CALLS = Stream(
    name="calls",
    table="calls",
    primary_key="id",
    event_time_field="created_at",
    read_time=partial(read_time, zone="UTC"),
    updated_at_field="updated_at",
    lookback=3 * DAY,
    pending=query("whippy_pending"),
    total_is_exact=False,
    personal=(
        "from unless direction=outbound",
        "to unless direction=inbound",
        "contact_id",
        "body",
        "analysis",
        "attachments.* except content_type",
        "metadata.* except agent_id|duration",
    ),
)
STREAMS = (CALLS,)


def connect(settings: Settings, options: ReadOptions) -> Source:
    """Return the source of one organization's calls."""
    auth = HeaderKey("X-WHIPPY-KEY", settings.api_key)
    client = client_of(
        "whippy", settings, options, auth, _classify_error, read_seconds=ANSWER_SECONDS
    )
    size = settings.page_size
    listing = Listing(
        settings.path,
        records="data",
        method="POST",
        total="total",
        total_is_promised=False,
        params={"limit": size, "offset": 0, "timeout": SEARCH_SECONDS * 1000},
        json={},
        bounds=("after", "before"),
        time_form="%Y-%m-%dT%H:%M:%S.%fZ",
        paging=partial(_onwards, size),
        later_error=ResultTooLargeError,  # only its offset is new
    )
    endpoint = Endpoint(CALLS, partial(calls, client, listing))
    return Source(client, [endpoint], settings.concurrency)


def calls(client: Client, listing: Listing, window: Window) -> Iterator[Page]:
    """Yield the calls that were created in a window; both bounds are strict."""
    search = span_of(client, listing)
    yield from in_halves(search, window.start, window.end, SHORTEST, may_be_capped=True)


def _onwards(limit: int, _: str) -> Turn:
    """Go on until a page is empty, or is not full where the total has been reached.

    A page shorter than ``limit`` may have been capped, and a total may be an estimate.
    """
    first = 0

    def turn(_: Envelope, page: Page, so_far: int) -> Mapping[str, Any] | None:
        nonlocal first
        came = len(page.records)
        first = first or came
        is_full = came == first and (came == limit or came % ROUND_PAGE == 0)
        is_all = page.total is not None and so_far >= page.total and not is_full
        return None if not came or is_all else {"offset": so_far}

    return turn


MEANINGS = {
    401: ApiError("stop_account", "; check the credentials, api_key"),
    403: ApiError("stop_account", "; check the credentials, api_key"),
    404: ApiError("stop_account", "; check base_url and path"),
    422: ApiError("bad_request", ""),
}
"""What an HTTP status means, and what to do about it (whippy.md, section 9)."""
TOOK_TOO_LONG = ApiError("too_large", "; the search took too long")
TIMED_OUT = re.compile("timed? ?out", re.IGNORECASE)


def _classify_error(reply: Reply) -> ApiError | None:
    """Read an error body, which is in either of two shapes (whippy.md, section 9)."""

    class Description(msgspec.Struct):
        description: str = ""

    class Trouble(msgspec.Struct):
        errors: list[Description] = []
        error: str = ""

    status, trouble = reply.status, reply.decoded(Trouble)
    if trouble is None:
        is_too_long = status in {408, 504}
        return TOOK_TOO_LONG.of(f"answered HTTP {status}") if is_too_long else None
    text = "; ".join(error.description for error in trouble.errors) or trouble.error
    message = f"answered HTTP {status} {text}".strip()
    # Of 422 and 500 only the text says whether the search took too long: no document
    # names a status or a header for it. A search of a year with a short timeout would
    # show how it ends (whippy.md, section 12).
    if status in {408, 504} or (status in {422, 500} and TIMED_OUT.search(text)):
        return TOOK_TOO_LONG.of(message)
    return meaning_of(MEANINGS, status, message)
