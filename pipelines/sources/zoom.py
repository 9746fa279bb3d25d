"""Zoom Contact Center: the voice call log, and how long each part of a call took.

`zoom.md` has what is known of the API, and how surely.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Annotated

import msgspec

from pipelines.extract.client import Client
from pipelines.extract.errors import ApiError, ExpiredPageError, Reply, meaning_of
from pipelines.extract.pagination import Listing, Page, by_token, pages, restarted
from pipelines.extract.sign_in import oauth_token
from pipelines.extract.source import (
    Endpoint,
    Source,
    SourceSettings,
    ZeroOrMore,
    client_of,
)
from pipelines.extract.window_reader import ReadOptions
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, SECOND, Window
from pipelines.sources import query


class Settings(SourceSettings, frozen=True, kw_only=True):
    """What one Zoom account can be configured with."""

    account_id: str
    client_id: str
    client_secret: str
    base_url: str = "https://api.zoom.us/v2"
    token_url: str = "https://zoom.us/oauth/token"  # noqa: S105
    page_size: Annotated[int, msgspec.Meta(le=100)] = 100
    engagements: bool = True
    """Whether the second list is read, where the app has its scope."""
    daily_requests: ZeroOrMore = 15_000


LEG_PARTIES = (
    *("consumer_number", "consumer_display_name"),
    *("caller_number", "callee_number", "caller_id"),
)
VOICE_CALLS = Stream(
    name="voice_calls",
    table="voice_calls",
    primary_key="engagement_id",
    event_time_field="start_time",
    pending=query("zoom_pending"),
    ids_per_request=1,
    has_unstable_pages=False,
    personal=(
        "consumer_number",
        "consumer_display_name",
        "caller_number unless direction=outbound",
        "callee_number unless direction=inbound",
        "caller_id",
        *(f"voice_call_details.{name}" for name in LEG_PARTIES),
    ),
    is_erased_by_blanking=True,  # by an administrator, in the log; a leg repeats them
)
ENGAGEMENTS = Stream(
    name="engagements",
    table="engagements",
    primary_key="engagement_id",
    event_time_field="start_time",
    is_optional=True,
    calls="",
    has_unstable_pages=False,
    complete_for=timedelta(),
    personal=("consumers",),
)
STREAMS = (VOICE_CALLS, ENGAGEMENTS)
VOICE_CALL_LIST = Listing(
    "/contact_center/voice_calls",
    records="voice_calls",
    total="total_records",
    params={"view_type": "detail"},
    repeats_bounds=True,
    paging=by_token("next_page_token", "next_page_token"),
    later_error=ExpiredPageError,
)
ENGAGEMENT_LIST = replace(
    VOICE_CALL_LIST,
    path="/contact_center/engagements",
    records="engagements",
    total_is_promised=False,
    params={"timezone": "UTC"},
    # With an offset its zone of filtering is another parameter (zoom.md, section 6).
    time_form="%Y-%m-%dT%H:%M:%SZ",
)
LISTINGS = {VOICE_CALLS: VOICE_CALL_LIST, ENGAGEMENTS: ENGAGEMENT_LIST}


def connect(settings: Settings, options: ReadOptions) -> Source:
    """Return the source of one account's call log."""
    app = (settings.client_id, settings.client_secret)
    grant = {"grant_type": "account_credentials", "account_id": settings.account_id}
    check = "account_id, client_id and client_secret"
    auth = oauth_token("zoom", settings.token_url, app, grant, check)
    client = client_of("zoom", settings, options, auth, _classify_error)
    size = {"page_size": settings.page_size}
    endpoints = [
        Endpoint(stream, partial(read, client, listing.moved(size)))
        for stream, listing in LISTINGS.items()
        if stream is not ENGAGEMENTS or settings.engagements
    ]
    return Source(client, endpoints, settings.concurrency)


def read(client: Client, listing: Listing, window: Window) -> Iterator[Page]:
    """Yield the engagements that started in a window, or those it names.

    They are read again from the first where a page token ends before its pages.
    """
    # It is not known which time the dates filter: a named one is surely between.
    before, after = (DAY, DAY) if window.ids else (SECOND, timedelta())
    listing = listing.between(window.start - before, window.end + after)
    for named in window.named("engagement_id", VOICE_CALLS.ids_per_request):
        yield from restarted(partial(pages, client, listing.moved(named)))


MEANINGS = {
    124: ApiError("auth", "; check the credentials"),
    **dict.fromkeys((4700, 4711), ApiError("no_scope", "; grant the app this scope")),
}
"""What an error code means, and what to do about it (zoom.md, section 9)."""
TOO_OLD = re.compile(r"within the (last|past) \w+ (day|month|year)s?", re.IGNORECASE)


def _classify_error(reply: Reply) -> ApiError | None:
    """Read the error body ``{"code", "message"}`` (zoom.md, section 9)."""

    class Trouble(msgspec.Struct):
        code: int
        message: str = ""

    trouble = reply.decoded(Trouble)
    if trouble is None:
        return None
    message = f"refused with code {trouble.code}: {trouble.message}"
    if meaning := meaning_of(MEANINGS, trouble.code, message):
        return meaning
    # Only the text says that a day is too old, not wrong, and where the header is
    # missing, which limit it is; zoom.md, section 12 says what would settle both.
    if trouble.code == 300 and TOO_OLD.search(trouble.message):  # noqa: PLR2004
        return ApiError("expired", message)
    limit = reply.headers.get("X-RateLimit-Type") or trouble.message
    if reply.status == 429 and "daily" in limit.lower():  # noqa: PLR2004
        return ApiError("stop_account", f"{message}; loaded windows stay")
    # A page token that has ended is refused as any bad parameter is.
    return ApiError("bad_request", message) if reply.status in {200, 400, 404} else None
