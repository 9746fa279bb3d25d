"""TWIN: the list of incoming call sessions, one record per call.

Three streams list the same calls by different dates, two of which are null at first
(twin.md, section 6). `twin.md` has what is known, and how surely.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

import msgspec

from pipelines.extract.auth import BearerToken
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

TOKEN_SECONDS = 43_200
"""The life that the vendor's own example asks for."""
DEEPEST = 10_000
"""A search engine's usual reach for offset + limit (twin.md, section 4)."""
SECOND = timedelta(seconds=1)
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
PERSONAL = (
    "callingNumber",
    "regionName",
    "gender",
    "messagesAsString",
    "resultsString",
    "allResults",
    "additional",
    "recordPath",
)
FEWER_FIELDS = f"{DOCUMENTED_FIELDS},createdAt"
"""What is asked for where ``FIELDS`` are refused; createdAt is part of the key."""
FIELDS = f"{FEWER_FIELDS},updatedAt,finishedAt,billedAt,status"


def _stream(name: str, bounded_by: str, **more: Any) -> Stream:  # noqa: ANN401
    return Stream(
        name=name,
        table="calls",
        record_id="callId",
        event_at="createdAt",
        read_time=partial(read_time, zone="UTC"),
        version="updatedAt",
        bounded_by=bounded_by,
        lookback=DAY,
        personal=PERSONAL,
        erased_mark="depersonalized",
        **more,
    )


CREATED_CALLS = _stream(
    "created_calls", "createdAt", pending=query("twin_pending"), ids_per_request=1
)
# A call leaves a window on a time that changes, and is no less a call.
UPDATED_CALLS = _stream("updated_calls", "updatedAt", lists_all_for=timedelta())
BILLED_CALLS = _stream("billed_calls", "billedAt", lists_all_for=timedelta())
STREAMS = (CREATED_CALLS, UPDATED_CALLS, BILLED_CALLS)


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


def connect(settings: Settings, options: Terms) -> Source:
    """Return the source of one account's incoming calls."""
    sign_in = Client("twin", settings.login_url, is_sign_in=True)
    token = partial(_token, sign_in, settings.email, settings.password)
    auth = BearerToken(token, shared="login")
    client = client_of("twin", settings, options, auth, _refused)
    companies = [part.strip() for part in settings.company_ids.split(",") if part]
    params: dict[str, Any] = {
        "companyIds[]": companies,
        "sort": "+startedAt",
        "limit": settings.page_size,
        "offset": 0,
    }
    listing = Listing(settings.path, records="items", total="count", params=params)
    wanted = Fields(settings.fields)
    endpoints = []
    for stream in STREAMS:
        dated = listing.moved({settings.date_field_parameter: stream.bounded_by})
        fetch = partial(calls, client, dated, wanted, settings.id_parameter)
        endpoints.append(Endpoint(stream, fetch))
    return Source(client, endpoints, settings.concurrency)


@dataclass
class Fields:
    """Which fields are asked for: fewer once the vendor has refused some."""

    names: str


def calls(
    client: Client,
    listing: Listing,
    fields: Fields,
    id_parameter: str,
    window: Window,
) -> Iterator[Page]:
    """Yield the calls whose date lies in a window, or those of them that it names."""
    if not window.ids:
        yield from in_halves(
            partial(_within_reach, client, listing, fields), window.start, window.end
        )
    bounds = {"from": _moment(window.start - SECOND), "to": _moment(window.end)}
    for call_id in window.ids:
        named = listing.moved({**bounds, id_parameter: call_id})
        for page in _pages(client, named, fields):
            _check_named(page.records, call_id, id_parameter)
            yield page


def _within_reach(
    client: Client, listing: Listing, fields: Fields, start: datetime, end: datetime
) -> Iterator[Page]:
    """Read a list to its end, if an offset can get there."""
    bounds = {"from": _moment(start - SECOND), "to": _moment(end)}
    limit, so_far, is_total = listing.params["limit"], 0, False
    for page in _pages(client, listing.moved(bounds), fields):
        so_far += len(page.records)
        is_total = is_total or page.total != len(page.records)
        total = page.total if is_total or so_far == len(page.records) else None
        # A count of exactly this many may be where the vendor stopped to count.
        yield replace(page, total=None if total == DEEPEST else total)
        if max(page.total or 0, so_far) + limit > DEEPEST:
            raise TooMuchError(
                f"twin has more than {DEEPEST - limit} calls between "
                f"{_moment(start)} and {_moment(end)}, more than its list can be asked "
                "for"
            )
    if may_be_capped(so_far, start, end):
        raise TooMuchError(
            f"twin ended a list at {so_far} calls; halves say whether it has more"
        )


def _pages(client: Client, listing: Listing, fields: Fields) -> Iterator[Page]:
    """Read a list, without the fields of our own adding where they are refused.

    A refusal of a later page can only mean its offset.
    """
    names, so_far = fields.names, 0
    asked = listing.moved({"fields": names})
    try:
        for page in pages(client, asked, _onwards(listing.params["limit"])):
            so_far += len(page.records)
            yield page
    except VendorError as error:
        if not error.is_bad_question:
            raise
        if so_far:
            raise TooMuchError(str(error)) from None
        if names != FIELDS:  # another thread may have exchanged them meanwhile
            raise
    else:
        return
    fewer = Fields(FEWER_FIELDS)
    for page in _pages(client, listing, fewer):
        fields.names = FEWER_FIELDS
        yield page


def _check_named(
    records: Iterable[msgspec.Raw], call_id: str, id_parameter: str
) -> None:
    """Refuse other calls than the one that was asked for."""

    class Named(msgspec.Struct, rename="camel"):
        call_id: str

    for record in records:
        try:
            found = msgspec.json.decode(record, type=Named).call_id
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue  # for the quarantine
        if found != call_id:
            raise VendorError(
                "twin was asked for one call and sent others, so it did not understand "
                f"{id_parameter!r}; set id_parameter from the developer portal"
            )


def _onwards(limit: int) -> Turn:
    """Go on after a full page, and after any while the count promises more."""

    def turn(_: Envelope, page: Page, so_far: int) -> Mapping[str, Any] | None:
        more = len(page.records) >= limit or so_far < (page.total or 0)
        return {"offset": so_far} if page.records and more else None

    return turn


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _token(sign_in: Client, email: str, password: str) -> tuple[str, float]:
    class Answer(msgspec.Struct, rename="camel"):
        token: str = ""
        auth_token: str = ""

    wanted = {"email": email, "password": password, "ttl": TOKEN_SECONDS}
    answer = sign_in.ask("POST", "", Answer, json=wanted)
    if not (token := answer.token or answer.auth_token):
        raise VendorError("twin signed in without a token", stops_account=True)
    return token, TOKEN_SECONDS


def _refused(status: int, body: bytes) -> Refusal | None:
    """Say what to set: statuses are documented, bodies are not (twin.md, section 9)."""

    class Trouble(msgspec.Struct):
        message: str = ""

    hints = {
        400: "check fields and page_size",
        403: "check company_ids and the permissions of the login",
        404: "set path, and base_url, from the developer portal",
    }
    if status not in hints:
        return None
    try:
        said = msgspec.json.decode(body, type=Trouble).message
    except msgspec.MsgspecError:
        said = ""
    kind: Literal["bad_question", "stop_account"]
    kind = "bad_question" if status == 400 else "stop_account"  # noqa: PLR2004
    return Refusal(kind, f"answered HTTP {status} {said}; {hints[status]}")
