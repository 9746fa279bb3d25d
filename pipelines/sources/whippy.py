"""Whippy: the search of calls, one record per call of a person or an AI agent.

`whippy.md` has what is known of the API, and how surely.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from pipelines.extract.auth import HeaderKey
from pipelines.extract.client import Client
from pipelines.extract.errors import Refusal, TooMuchError, VendorError
from pipelines.extract.pagination import (
    Envelope,
    Listing,
    Page,
    Turn,
    in_halves,
    may_be_capped,
    pages,
)
from pipelines.extract.source import Endpoint, Source, SourceSettings, client_of
from pipelines.extract.window_reader import Terms
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

CALLS = Stream(
    name="calls",
    table="calls",
    record_id="id",
    event_at="created_at",
    read_time=partial(read_time, zone="UTC"),
    version="updated_at",
    lookback=3 * DAY,
    pending=query("whippy_pending"),
    total_is_exact=False,
)
STREAMS = (CALLS,)


class Settings(SourceSettings, frozen=True, kw_only=True):
    """What one organization's account can be configured with."""

    api_key: str
    base_url: str = "https://api.whippy.co/v1"
    path: str = "/calls/search"
    requests_per_second: float = 10.0


def connect(settings: Settings, options: Terms) -> Source:
    """Return the source of one organization's calls."""
    auth = HeaderKey("X-WHIPPY-KEY", settings.api_key)
    client = client_of(
        "whippy", settings, options, auth, _refused, read_seconds=ANSWER_SECONDS
    )
    fetch = partial(calls, client, settings.path, settings.page_size)
    return Source(client, [Endpoint(CALLS, fetch)], settings.concurrency)


def calls(client: Client, path: str, page_size: int, window: Window) -> Iterator[Page]:
    """Yield the calls that were created in a window."""
    read = partial(_between, client, path, page_size)
    yield from in_halves(read, window.start, window.end, SHORTEST)


def _between(
    client: Client, path: str, page_size: int, start: datetime, end: datetime
) -> Iterator[Page]:
    """Search ``[start, end)``, both bounds being strict."""
    listing = Listing(
        path,
        records="data",
        method="POST",
        total="total",
        total_is_promised=False,
        params={"limit": page_size, "offset": 0, "timeout": SEARCH_SECONDS * 1000},
        json={
            "after": _moment(start - timedelta(seconds=1)),
            "before": _moment(end),
        },
    )
    so_far = 0
    try:
        for page in pages(client, listing, _onwards(page_size)):
            so_far += len(page.records)
            yield page
    except VendorError as error:
        # What was understood once can be refused for its offset only.
        if error.is_bad_question and so_far:
            raise TooMuchError(str(error)) from None
        raise
    if may_be_capped(so_far, start, end, SHORTEST):
        raise TooMuchError(
            f"whippy ended a list at {so_far} calls; halves say whether it has more"
        )


def _onwards(limit: int) -> Turn:
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


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _refused(status: int, body: bytes) -> Refusal | None:
    """Say what to do; how a search that took too long ends is not documented."""
    said = _said(body)
    words = f"answered HTTP {status} {said or ''}".strip()
    took_too_long = said is not None and re.search("timed? ?out", said, re.IGNORECASE)
    if status in {408, 504} or (status in {422, 500} and took_too_long):
        return Refusal("too_much", f"{words}; the search took too long")
    if said is None:
        return None
    hints = {
        401: "; check the credentials, api_key",
        403: "; check the credentials, api_key",
        404: "; check base_url and path",
    }
    if status in hints:
        return Refusal("stop_account", words + hints[status])
    return Refusal("bad_question", words) if status == 422 else None  # noqa: PLR2004


def _said(body: bytes) -> str | None:
    """Read an error body (whippy.md, section 9); None where it has another shape."""

    class Description(msgspec.Struct):
        description: str = ""

    class Trouble(msgspec.Struct):
        errors: list[Description] = []
        error: str = ""

    try:
        trouble = msgspec.json.decode(body, type=Trouble)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return "; ".join(error.description for error in trouble.errors) or trouble.error
