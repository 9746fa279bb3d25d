"""TWIN: the list of incoming call sessions, one record per call.

Three streams list the same calls by different dates, two of which are null at first
(twin.md, section 6). `twin.md` has what is known, and how surely.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from pipelines.extract.auth import BearerToken
from pipelines.extract.client import Client
from pipelines.extract.errors import ApiError, ResultTooLargeError, VendorError, decoded
from pipelines.extract.pagination import (
    Envelope,
    Listing,
    Page,
    Turn,
    in_halves,
    pages,
    refuse_others,
)
from pipelines.extract.source import Endpoint, Source, SourceSettings, client_of
from pipelines.extract.window_reader import ReadOptions
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, SECOND, Window, read_time
from pipelines.sources import query

TOKEN_SECONDS = 43_200
"""The life that the vendor's own example asks for."""
DEEPEST = 10_000
"""A search engine's usual reach for offset + limit (twin.md, section 4)."""
DOCUMENTED_FIELDS = (
    "callId,startedAt,number,callingNumber,regionName,timezone,duration,totalCost,"
    "recordPath,messagesAsString,resultsString,emotion,robotCallDuration,"
    "robotCallTotalCost,hungUpBy,gender,nps,isAssistantRequest,markers,externalId,"
    "additional,currentStatusName,mainCallCost,mainCallDiscount,mainCallDuration,"
    "mainCallTotalCost,aiCallDuration,aiCallTotalCost,aiCallCost,aiCallLlmTotalCost,"
    "aiCallTtsTotalCost,aiCallSttTotalCost,autoCallCost,autoCallDiscount,"
    "autoCallDuration,autoCallTotalCost,robotCallCost,robotCallDiscount,"
    "transferCallCost,transferCallDiscount,transferCallDuration,"
    "transferCallTotalCost,companyId,allResults,depersonalized"
)
FEWER_FIELDS = f"{DOCUMENTED_FIELDS},createdAt"
"""What is asked for where ``FIELDS`` are refused; createdAt is part of the key."""
FIELDS = f"{FEWER_FIELDS},updatedAt,finishedAt,billedAt,status"


class Settings(SourceSettings, frozen=True, kw_only=True):
    """What one login can be configured with."""

    email: str
    password: str
    base_url: str = "https://analyse.twin24.ai/api/v1"
    path: str = "/search/incoming/calls"
    login_url: str = "https://iam.twin24.ai/api/v1/auth/login"
    date_field_parameter: str = "dateField"
    id_parameter: str = "callId"
    fields: str = FIELDS
    company_ids: str = ""
    """Separated by commas; empty asks for the login's own company."""
    page_size: int = 1000
    requests_per_second: float = 2.0


def _stream(name: str, filter_field: str, **more: Any) -> Stream:  # noqa: ANN401
    return Stream(
        name=name,
        table="calls",
        primary_key="callId",
        event_time_field="createdAt",
        read_time=partial(read_time, zone="UTC"),
        updated_at_field="updatedAt",
        filter_field=filter_field,
        lookback=DAY,
        personal=(
            "callingNumber",
            "regionName",
            "gender",
            "messagesAsString",
            "resultsString",
            "allResults",
            "additional",
            "recordPath",
        ),
        erased_mark="depersonalized",
        **more,
    )


CREATED_CALLS = _stream(
    "created_calls", "createdAt", pending=query("twin_pending"), ids_per_request=1
)
# A call leaves a window on a time that changes, and is no less a call.
UPDATED_CALLS = _stream("updated_calls", "updatedAt", complete_for=timedelta())
BILLED_CALLS = _stream("billed_calls", "billedAt", complete_for=timedelta())
STREAMS = (CREATED_CALLS, UPDATED_CALLS, BILLED_CALLS)


def connect(settings: Settings, options: ReadOptions) -> Source:
    """Return the source of one account's incoming calls."""
    sign_in = Client("twin", settings.login_url, is_sign_in=True)
    token = partial(_token, sign_in, settings.email, settings.password)
    auth = BearerToken(token, shared="login")
    client = client_of("twin", settings, options, auth, _classify_error)
    companies = [part.strip() for part in settings.company_ids.split(",") if part]
    listing = Listing(
        settings.path,
        records="items",
        total="count",
        params={
            "companyIds[]": companies,
            "sort": "+startedAt",
            "limit": settings.page_size,
            "offset": 0,
        },
        paging=partial(_onwards, settings.page_size),
        reach=DEEPEST - settings.page_size,
        later_error=ResultTooLargeError,  # only its offset is new
    )
    wanted = Fields(settings.fields)
    fetch = partial(calls, client, wanted, settings.id_parameter)
    date_field = settings.date_field_parameter
    endpoints = [
        Endpoint(
            stream, partial(fetch, listing.moved({date_field: stream.filter_field}))
        )
        for stream in STREAMS
    ]
    return Source(client, endpoints, settings.concurrency)


@dataclass
class Fields:
    """Which fields are asked for: fewer once the vendor has refused some."""

    names: str


def calls(
    client: Client, fields: Fields, id_parameter: str, listing: Listing, window: Window
) -> Iterator[Page]:
    """Yield the calls whose date lies in a window, or those of them that it names."""
    if not window.ids:
        span = partial(_span, client, listing, fields)
        yield from in_halves(span, window.start, window.end, may_be_capped=True)
    listing = listing.between(window.start - SECOND, window.end)
    for call_id in window.ids:
        for page in _pages(client, listing.moved({id_parameter: call_id}), fields):
            refuse_others(
                page,
                "callId",
                {call_id},
                "twin was asked for one call and sent others, so it did not understand "
                f"{id_parameter!r}; set id_parameter from the developer portal",
                stops_account=False,
            )
            yield page


def _span(
    client: Client, listing: Listing, fields: Fields, start: datetime, end: datetime
) -> Iterator[Page]:
    """Read a list to its end; its count may be the length of a page, not a total."""
    so_far, is_total = 0, False
    for page in _pages(client, listing.between(start - SECOND, end), fields):
        so_far += len(page.records)
        is_total = is_total or page.total != len(page.records)
        total = page.total if is_total or so_far == len(page.records) else None
        # A count of exactly this many may be where the vendor stopped to count.
        yield replace(page, total=None if total == DEEPEST else total)


def _pages(client: Client, listing: Listing, fields: Fields) -> Iterator[Page]:
    """Read a list, without the fields of our own adding where they are refused."""
    names = fields.names
    try:
        yield from pages(client, listing.moved({"fields": names}))
    except VendorError as error:
        # Another thread may have exchanged them meanwhile.
        if not error.is_bad_request or names != FIELDS:
            raise
    else:
        return
    for page in _pages(client, listing, Fields(FEWER_FIELDS)):
        fields.names = FEWER_FIELDS
        yield page


def _onwards(limit: int, _: str) -> Turn:
    """Go on after a full page, and after any while the count promises more."""

    def turn(_: Envelope, page: Page, so_far: int) -> Mapping[str, Any] | None:
        more = len(page.records) >= limit or so_far < (page.total or 0)
        return {"offset": so_far} if page.records and more else None

    return turn


def _token(sign_in: Client, email: str, password: str) -> tuple[str, float]:
    class Answer(msgspec.Struct, rename="camel"):
        token: str = ""
        auth_token: str = ""

    wanted = {"email": email, "password": password, "ttl": TOKEN_SECONDS}
    answer = sign_in.ask("POST", "", Answer, json=wanted)
    if not (token := answer.token or answer.auth_token):
        raise VendorError("twin signed in without a token", stops_account=True)
    return token, TOKEN_SECONDS


MEANINGS = {
    400: ApiError("bad_request", "; check fields and page_size"),
    403: ApiError(
        "stop_account", "; check company_ids and the permissions of the login"
    ),
    404: ApiError(
        "stop_account", "; set path, and base_url, from the developer portal"
    ),
}
"""What an HTTP status means, and what to do about it (twin.md, section 9)."""


def _classify_error(status: int, body: bytes) -> ApiError | None:
    """Read the status, and show a ``message`` if there is one (twin.md, section 9)."""

    class Trouble(msgspec.Struct):
        message: str = ""

    message = (decoded(body, Trouble) or Trouble()).message
    meaning = MEANINGS.get(status)
    return meaning.of(f"answered HTTP {status} {message}") if meaning else None
