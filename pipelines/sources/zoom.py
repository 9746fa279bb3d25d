"""Zoom Contact Center: the voice call log, and how long each part of a call took.

`zoom.md` has what is known of the API, and how surely.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial

import msgspec
from requests.auth import HTTPBasicAuth

from pipelines.extract.auth import BearerToken
from pipelines.extract.client import Client
from pipelines.extract.errors import Refusal
from pipelines.extract.pagination import Listing, Page, by_token, pages, restarted
from pipelines.extract.source import (
    Endpoint,
    Source,
    SourceSettings,
    ZeroOrMore,
    client_of,
)
from pipelines.extract.window_reader import Terms
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Window
from pipelines.sources import query

SECOND = timedelta(seconds=1)
TOO_OLD = re.compile(
    r"within the (?:last|past) \w+ (?:day|month|year)s?", re.IGNORECASE
)
"""A question can also have a bad date or span too long; those say no such thing."""

VOICE_CALLS = Stream(
    name="voice_calls",
    table="voice_calls",
    record_id="engagement_id",
    event_at="start_time",
    pending=query("zoom_pending"),
    ids_per_request=1,
    shifts=False,
    # An administrator can erase these from the log, and a leg repeats them.
    personal=(
        "consumer_number",
        "consumer_display_name",
        "caller_number",
        "callee_number",
        "voice_call_details",
    ),
)
ENGAGEMENTS = Stream(
    name="engagements",
    table="engagements",
    record_id="engagement_id",
    event_at="start_time",
    is_optional=True,
    calls="",
    shifts=False,
    lists_all_for=timedelta(),
)
STREAMS = (VOICE_CALLS, ENGAGEMENTS)


class Settings(SourceSettings, frozen=True, kw_only=True):
    """What one Zoom account can be configured with."""

    account_id: str
    client_id: str
    client_secret: str
    base_url: str = "https://api.zoom.us/v2"
    token_url: str = "https://zoom.us/oauth/token"  # noqa: S105
    engagements: bool = True
    """Whether the second list is read, where the app has its scope."""
    daily_requests: ZeroOrMore = 15_000


def connect(settings: Settings, options: Terms) -> Source:
    """Return the source of one account's call log."""
    key = HTTPBasicAuth(settings.client_id.encode(), settings.client_secret.encode())
    sign_in = Client(
        "zoom", settings.token_url, key, refused=_sign_in_refused, is_sign_in=True
    )
    token = partial(_token, sign_in, settings.account_id)
    auth = BearerToken(token, shared="app")
    client = client_of("zoom", settings, options, auth, _refused)
    lists = {VOICE_CALLS: voice_calls}
    if settings.engagements:
        lists[ENGAGEMENTS] = engagement_parts
    endpoints = [
        Endpoint(stream, partial(_in_one_go, partial(read, client, settings.page_size)))
        for stream, read in lists.items()
    ]
    return Source(client, endpoints, settings.concurrency)


def _in_one_go(
    read: Callable[[Window], Iterator[Page]], window: Window
) -> Iterator[Page]:
    """Read a window again from its start where a page token ends before its pages."""
    yield from restarted(partial(read, window))


def voice_calls(client: Client, page_size: int, window: Window) -> Iterator[Page]:
    """Yield the engagements that started in a window, or those it names."""
    # It is unverified which time the dates filter: a named one is surely between.
    before, after = (DAY, DAY) if window.ids else (SECOND, timedelta())
    listing = Listing(
        "/contact_center/voice_calls",
        records="voice_calls",
        total="total_records",
        params={
            "from": _moment(window.start - before),
            "to": _moment(window.end + after),
            "page_size": page_size,
            "view_type": "detail",
        },
        echoed={"from": window.start - before, "to": window.end + after},
    )
    place = "zoom /contact_center/voice_calls"
    for named in [{"engagement_id": one} for one in window.ids] or [{}]:
        turn = by_token("next_page_token", "next_page_token", place)
        yield from pages(client, listing.moved(named), turn, tokens_end=True)


def engagement_parts(client: Client, page_size: int, window: Window) -> Iterator[Page]:
    """Yield the engagements of every channel that started in a window."""
    listing = Listing(
        "/contact_center/engagements",
        records="engagements",
        total="total_records",
        total_is_promised=False,
        params={
            "timezone": "UTC",
            "from": f"{window.start - SECOND:%Y-%m-%dT%H:%M:%SZ}",
            "to": f"{window.end:%Y-%m-%dT%H:%M:%SZ}",
            "page_size": page_size,
        },
        echoed={"from": window.start - SECOND, "to": window.end},
    )
    place = "zoom /contact_center/engagements"
    turn = by_token("next_page_token", "next_page_token", place)
    yield from pages(client, listing, turn, tokens_end=True)


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _token(sign_in: Client, account_id: str) -> tuple[str, float]:
    class Answer(msgspec.Struct):
        access_token: str
        expires_in: float

    form = {"grant_type": "account_credentials", "account_id": account_id}
    answer = sign_in.ask("POST", "", Answer, data=form)
    return answer.access_token, answer.expires_in


def _sign_in_refused(status: int, body: bytes) -> Refusal | None:
    """Read the token endpoint's own ``{"reason", "error"}`` (zoom.md, section 3)."""

    class Trouble(msgspec.Struct):
        error: str
        reason: str = ""

    try:
        trouble = msgspec.json.decode(body, type=Trouble)
    except msgspec.MsgspecError:
        return None
    if status not in {400, 401, 403}:
        return None
    return Refusal(
        "stop_account",
        f"refused the credentials ({trouble.error} {trouble.reason}); check "
        "account_id, client_id and client_secret",
    )


def _refused(status: int, body: bytes) -> Refusal | None:
    """Read the error body ``{"code", "message"}`` (zoom.md, section 9)."""

    class Trouble(msgspec.Struct):
        code: int
        message: str = ""

    try:
        trouble = msgspec.json.decode(body, type=Trouble, strict=False)
    except msgspec.MsgspecError:
        return None
    words = f"refused with code {trouble.code}: {trouble.message}"
    if trouble.code in {4700, 4711} or "not contain scope" in trouble.message:
        return Refusal("no_scope", f"{words}; grant the app this scope")
    if trouble.code == 124:  # "Invalid access token."  # noqa: PLR2004
        return Refusal("sign_in", f"{words}; check the credentials")
    if trouble.code == 300 and TOO_OLD.search(trouble.message):  # noqa: PLR2004
        return Refusal("gone", words)
    if status == 429 and "daily" in trouble.message:  # noqa: PLR2004
        return Refusal("stop_account", f"{words}; loaded windows stay")
    # A page token that has ended is refused as any bad parameter is.
    return Refusal("bad_question", words) if status in {200, 400, 404} else None
