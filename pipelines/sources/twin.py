"""TWIN: the list of incoming call sessions, one record per call.

Three streams list the same calls by different dates, two of which are null at first
(twin.md, section 6). `twin.md` has what is known, and how surely.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial

from pipelines.extract.client import Client
from pipelines.extract.errors import ApiError, Reply, ResultTooLargeError, meaning_of
from pipelines.extract.pagination import Fields, Listing, Page, by_offset, only
from pipelines.extract.sign_in import login_token
from pipelines.extract.source import Endpoint, Source, SourceSettings, client_of
from pipelines.extract.spans import in_halves, span_of, without_doubtful_totals
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


CREATED_CALLS = Stream(
    name="created_calls",
    table="calls",
    primary_key="callId",
    event_time_field="createdAt",
    read_time=partial(read_time, zone="UTC"),
    updated_at_field="updatedAt",
    filter_field="createdAt",
    lookback=DAY,
    pending=query("twin_pending"),
    ids_per_request=1,
    personal=(
        "callingNumber",
        "regionName",
        "gender",
        "messagesAsString",
        "resultsString",
        "allResults",
        "additional",
        "recordPath",
        "externalId",
        "markers",
        "variablesString",
        "dialogResult",
    ),
    is_erased_by_blanking=True,
    erased_mark="depersonalized",
)
UPDATED_CALLS = replace(
    CREATED_CALLS,
    name="updated_calls",
    filter_field="updatedAt",
    complete_for=timedelta(),  # a call leaves a window on a time that changes
    pending="",
    ids_per_request=0,
)
BILLED_CALLS = replace(UPDATED_CALLS, name="billed_calls", filter_field="billedAt")
STREAMS = (CREATED_CALLS, UPDATED_CALLS, BILLED_CALLS)


def connect(settings: Settings, options: ReadOptions) -> Source:
    """Return the source of one account's incoming calls."""
    login = {"email": settings.email, "password": settings.password}
    asked, keys = {**login, "ttl": TOKEN_SECONDS}, ["token", "authToken"]
    auth = login_token("twin", settings.login_url, asked, keys, TOKEN_SECONDS)
    client = client_of("twin", settings, options, auth, _classify_error)
    companies = [part.strip() for part in settings.company_ids.split(",") if part]
    size = settings.page_size
    first = {"limit": size, "offset": 0}
    listing = Listing(
        settings.path,
        records="items",
        total="count",
        params={"companyIds[]": companies, "sort": "+startedAt", **first},
        paging=by_offset("offset", size, total_may_be_low=True),
        reach=DEEPEST - size,
        later_error=ResultTooLargeError,  # only its offset is new
    )
    fields = Fields(settings.fields, FEWER_FIELDS if settings.fields == FIELDS else "")
    fetch = partial(calls, client, fields, settings.id_parameter)
    key = settings.date_field_parameter
    endpoints = [
        Endpoint(stream, partial(fetch, listing.moved({key: stream.filter_field})))
        for stream in STREAMS
    ]
    return Source(client, endpoints, settings.concurrency)


def calls(
    client: Client, fields: Fields, id_parameter: str, listing: Listing, window: Window
) -> Iterator[Page]:
    """Yield the calls whose date lies in a window, or those of them that it names."""
    if not window.ids:
        span = span_of(client, listing, fields.pages)
        sure = without_doubtful_totals(span, DEEPEST)
        yield from in_halves(sure, window.start, window.end, may_be_capped=True)
    listing = listing.between(window.start - SECOND, window.end)
    for call_id in window.ids:
        advice = "set id_parameter from the developer portal"
        check = only("callId", {call_id}, id_parameter, advice)
        one = replace(listing.moved({id_parameter: call_id}), check=check)
        yield from fields.pages(client, one)


MEANINGS = {
    400: ApiError("bad_request", "; check fields and page_size"),
    403: ApiError("stop_account", "; check company_ids and the login's permissions"),
    404: ApiError("stop_account", "; set path and base_url from the developer portal"),
}
"""What an HTTP status means, and what to do about it (twin.md, section 9)."""


def _classify_error(reply: Reply) -> ApiError | None:
    """Read the status, and show a ``message`` if there is one (twin.md, section 9)."""
    message = f"answered HTTP {reply.status} {reply.text('message')}"
    return meaning_of(MEANINGS, reply.status, message)
