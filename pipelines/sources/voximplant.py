"""Voximplant: the call history, one record per JavaScript session with its legs.

`voximplant.md` has what is known of the API, and how surely.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import msgspec

from pipelines.extract.auth import BearerToken
from pipelines.extract.client import Client
from pipelines.extract.errors import ApiError, Reply, meaning_of
from pipelines.extract.pagination import Listing, Page, by_offset, pages
from pipelines.extract.sign_in import signed_jwt
from pipelines.extract.source import Endpoint, Source, SourceSettings, client_of
from pipelines.extract.spans import in_halves, span_of
from pipelines.extract.window_reader import ReadOptions
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, SECOND, Window, read_time
from pipelines.sources import query

REACH = 10_000
"""Records of one question that paging is sure to get: the highest offset allowed."""
ZONE = "Etc/GMT"
SAME_ZONE = frozenset({ZONE, "Etc/UTC", "GMT", "UTC"})


class Settings(SourceSettings, frozen=True, kw_only=True):
    """What one account's service key can be configured with."""

    account_id: str
    key_id: str
    private_key: str
    base_url: str = "https://api.voximplant.com/platform_api"
    page_size: int = 1000


CALL_SESSIONS = Stream(
    name="call_sessions",
    table="call_sessions",
    primary_key="call_session_history_id",
    event_time_field="start_date",
    read_time=partial(read_time, zone="UTC"),
    lookback=timedelta(days=3),
    pending=query("voximplant_pending"),
    ids_per_request=1000,
    personal=(
        "custom_data",
        "initiator_address",
        "log_file_url",
        "calls.remote_number unless remote_number_type=user",
        *("calls.diversion_number", "calls.custom_data", "calls.record_url"),
        *("records.record_name", "records.record_url", "records.transcription_url"),
    ),
)
ACCOUNT_INFO = Stream(
    name="account_info",
    table="account_info",
    primary_key="account_id",
    event_time_field="",
    is_full_refresh=True,
)
STREAMS = (CALL_SESSIONS, ACCOUNT_INFO)
HISTORY = Listing(
    "/GetCallHistory",
    records="result",
    method="POST",
    total="total_count",
    data={
        "timezone": ZONE,
        "with_calls": "true",
        "with_records": "true",
        "with_other_resources": "true",
        "with_total_count": "true",
        "desc_order": "false",
        "offset": 0,
    },
    bounds=("from_date", "to_date"),
    time_form="%Y-%m-%d %H:%M:%S",
    reach=REACH,
    repeats={"timezone": SAME_ZONE},
    warnings="warnings",
)
ACCOUNT = Listing(
    "/GetAccountInfo", "result", "POST", is_one_record=True, warnings="warnings"
)


def connect(settings: Settings, options: ReadOptions) -> Source:
    """Return the source of one account's call history."""
    key = (settings.account_id, settings.key_id, settings.private_key)
    auth = BearerToken(partial(signed_jwt, "voximplant", *key))
    # A page of 1,000 sessions with all their parts is slow.
    client = client_of(
        "voximplant", settings, options, auth, _classify_error, read_seconds=150.0
    )
    endpoints = [
        Endpoint(CALL_SESSIONS, partial(call_sessions, client, settings.page_size)),
        Endpoint(ACCOUNT_INFO, lambda _: pages(client, ACCOUNT)),
    ]
    return Source(client, endpoints, settings.concurrency)


def call_sessions(client: Client, page_size: int, window: Window) -> Iterator[Page]:
    """Yield the sessions that started in a window, or those it names.

    Some come twice. Dates that surely span them have to be sent with ids as well.
    """
    paging = by_offset("offset", page_size)
    listing = replace(HISTORY.moved({"count": page_size}), paging=paging)
    if window.ids:
        listing = listing.between(window.start - DAY, window.end + DAY)
        size = CALL_SESSIONS.ids_per_request
        for named in window.named("call_session_history_id", size, separator=";"):
            yield from pages(client, listing.moved(named))
        return
    start = window.start.replace(microsecond=0)
    end = (window.end + SECOND - timedelta.resolution).replace(microsecond=0)
    yield from in_halves(span_of(client, listing), start, end)


MEANINGS = {
    **dict.fromkeys((1, 2, 4, 5, 340, 515), ApiError("retry", "")),
    100: ApiError(
        "stop_account", "; check the credentials: account_id, key_id, private_key"
    ),
    104: ApiError("stop_account", "; give the service account a role"),
    456: ApiError("auth", "; check the machine's clock"),
}
"""What an error code means, and what to do about it (voximplant.md, section 9). Any
other concerns the one question."""


def _classify_error(reply: Reply) -> ApiError | None:
    """Read the error body ``{"error": {"code", "msg"}}`` (voximplant.md, section 9)."""

    class Trouble(msgspec.Struct):
        code: int
        msg: str | None = None

    class Answer(msgspec.Struct):
        error: Trouble | None = None
        errors: list[Trouble] = []

    if b'"error' not in reply.body:
        return None
    if (answer := reply.decoded(Answer)) is None:
        another = ApiError("stop_window", "sent an error in another shape")
        return another if reply.decoded(msgspec.Raw) is not None else None
    for trouble in filter(None, (answer.error, *answer.errors)):
        message = f"refused with code {trouble.code}: {trouble.msg or ''}"
        return meaning_of(MEANINGS, trouble.code, message, ApiError("stop_window", ""))
    return None
