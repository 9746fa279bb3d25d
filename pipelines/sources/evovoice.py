"""EvoVoice: voice, chat and fax sessions, and the accounts with their prices.

| stream | endpoint | grain | windows on | table |
|---|---|---|---|---|
| sessions | GET /sessions, live | session | creation, UTC day | sessions |
| archived_sessions | GET /sessions, archive | session | creation, UTC day | sessions |
| accounts | GET /accounts/{id} | account | read whole | accounts |

Limits: none published; 25 records a page unless asked, no largest page named.
Time: whole days, both inclusive. Dates are text of no promised form: ISO 8601 with
    seven decimals, with a zone or without (UTC then), and the framework's
    ``/Date(ms)/``, whose offset is for show. Sessions change until they end and after.
Paging: page numbers from 0 while hasMorePages; totalCount counts the whole query.
Auth: HTTP Basic on every request, or with ``login = "cookie"`` one sign-in whose
    cookies come along until they are refused; there are no API keys.
Surprises: about 15 days after its creation a session moves from the live collection
    to the archive, and a query sees one of them only. So a day is read from both:
    live first, so that a session that moves meanwhile is seen, and from the archive
    each night while its sessions move. Without AccountIds the result is whatever the
    login sees. SpecificIds, too, looks into one collection. Sessions hold neither cost
    nor duration; null members are left out. A refusal may come as 500. ``from`` and
    ``to`` filter numbers, not dates. Sessions can be deleted in bulk: one that a live
    day no longer has is marked so, one that the archive loses is not noticed.
Unverified: which timestamp the days filter (taken: the creation) and in which zone
    (taken: UTC; both settled by sessions around midnight); the exact age of archiving
    (both are read from 13 days on; settled by the youngest session in the archive);
    whether DateCreated may be sorted by (settled by the order of a page); what the
    billing settings mean (taken literally; settled by one invoice); whether the session
    of a transfer is a call of its own (taken: yes, for no parent is named; settled by
    ParentSessionId).
Docs: evovoice.md; from the vendor's "GET /sessions" and others named there
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal
from urllib.parse import quote

import msgspec
from requests.auth import HTTPBasicAuth

from pipelines.extract.auth import BearerToken
from pipelines.extract.client import Auth, Client
from pipelines.extract.errors import ApiError, VendorError
from pipelines.extract.pagination import (
    Envelope,
    Listing,
    Page,
    by_page,
    checked,
    pages,
)
from pipelines.extract.source import Endpoint, Source, SourceSettings, client_of
from pipelines.extract.window_reader import ReadOptions
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Window, read_time
from pipelines.sources import query

COOKIE_SECONDS = 86_400.0
"""No life is named: the cookies serve until they are refused."""


def _read_time(text: str) -> datetime:
    """Read every form of date that evovoice.md, section 6, lists, as UTC."""
    if ticks := re.fullmatch(r"/Date\((-?\d{1,14})([+-]\d{4})?\)/", text):
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return epoch + timedelta(milliseconds=int(ticks[1]))
    return read_time(text, "UTC")


SESSIONS = Stream(
    name="sessions",
    table="sessions",
    record_id="id",
    event_at="dateCreated",
    read_time=_read_time,
    version="dateLastModified",
    whole_months=True,  # a month's calls share its allowance
    calls=query("evovoice_calls"),
    pending=query("evovoice_pending"),
    ids_per_request=100,  # 24 characters each, in an address of some 8,000
    lists_all_for=12 * DAY,
)
ARCHIVED_SESSIONS = replace(
    SESSIONS,
    name="archived_sessions",
    lag=13 * DAY,
    lookback=17 * DAY,
    lookback_is_least=True,  # a session moves in at about 15 days
    lists_all_for=timedelta(),
)
ACCOUNTS = Stream(
    name="accounts", table="accounts", record_id="id", event_at="", is_reference=True
)
STREAMS = (SESSIONS, ARCHIVED_SESSIONS, ACCOUNTS)


class Settings(SourceSettings, frozen=True, kw_only=True):
    """What one login can be configured with."""

    username: str
    password: str
    account_ids: str
    """The vendor's ids of the accounts to read, comma-separated."""
    base_url: str = "https://evovoice.io"
    login: Literal["basic", "cookie"] = "basic"


def connect(settings: Settings, options: ReadOptions) -> Source:
    """Return the source of one login's sessions and accounts."""
    name, password = settings.username, settings.password
    # As bytes: requests would write text as Latin-1, or fail to.
    auth: Auth = HTTPBasicAuth(name.encode(), password.encode())
    if settings.login == "cookie":
        sign_in = Client(
            "evovoice",
            settings.base_url,
            classify_error=_classify_error,
            is_sign_in=True,
        )
        cookies = partial(_cookies, sign_in, name, password)
        auth = BearerToken(cookies, header="Cookie", scheme="", shared="login")
    client = client_of("evovoice", settings, options, auth, _classify_error)
    listed = partial(sessions, client, settings.page_size, settings.account_ids)
    endpoints = [
        Endpoint(SESSIONS, partial(listed, archived=False)),
        Endpoint(ARCHIVED_SESSIONS, partial(listed, archived=True)),
        Endpoint(ACCOUNTS, partial(accounts, client, settings.account_ids)),
    ]
    return Source(client, endpoints, settings.concurrency)


def sessions(
    client: Client, page_size: int, account_ids: str, window: Window, *, archived: bool
) -> Iterator[Page]:
    """Yield the sessions created on the UTC days of a window, or those it names."""
    asked = _ids(account_ids)
    first = window.start.astimezone(UTC)
    last = window.end.astimezone(UTC) - timedelta(microseconds=1)
    if window.ids:  # which time the days filter is unverified
        first, last = first - DAY, last + DAY
    listing = Listing(
        "/sessions",
        records="items",
        total="totalCount",
        params={
            "AccountIds": ",".join(asked),
            "SearchArchive": "true" if archived else "false",
            "StartDate": f"{first:%Y-%m-%d}",
            "EndDate": f"{last:%Y-%m-%d}",
            "Page": 0,
            "CountPerPage": page_size,
            "SortField": "DateCreated",
            "SortOrder": "Ascend",
        },
    )
    by_id = window.ids_by(SESSIONS.ids_per_request)
    for named in [{"SpecificIds": ",".join(ids)} for ids in by_id] or [{}]:
        turn = by_page("Page", "hasMorePages", "evovoice /sessions")
        for page in pages(client, listing.moved(named), turn):
            _check_owners(page.records, asked)
            yield page


def accounts(client: Client, account_ids: str, _: Window) -> Iterator[Page]:
    """Yield each configured account as it stands now."""
    for account_id in _ids(account_ids):
        path = f"/accounts/{quote(account_id, safe='')}"
        account = client.ask("GET", path, msgspec.Raw)
        with suppress(msgspec.ValidationError):  # no object at all: for the quarantine
            checked(msgspec.json.decode(account, type=Envelope), "evovoice /accounts")
        yield Page([account])


def _cookies(sign_in: Client, username: str, password: str) -> tuple[str, float]:
    form = {"provider": "credentials", "userName": username, "password": password}
    asked = {**form, "rememberMe": True}
    sign_in.ask("POST", "/auth/credentials", msgspec.Raw, json=asked)
    if not sign_in.cookies:
        raise VendorError("evovoice signed in without a cookie", stops_account=True)
    return sign_in.cookies, COOKIE_SECONDS


def _ids(account_ids: str) -> list[str]:
    """Split a comma-separated list; none at all is an error."""
    found = [part.strip() for part in account_ids.split(",") if part.strip()]
    if not found:
        raise VendorError(
            "evovoice: account_ids is empty, and without it the vendor answers with "
            "whatever accounts the login sees; name the accounts, comma-separated",
            stops_account=True,
        )
    return list(dict.fromkeys(found))


def _check_owners(records: Iterable[msgspec.Raw], asked: list[str]) -> None:
    """Refuse sessions of accounts that were not asked for."""

    class Owned(msgspec.Struct, rename="camel"):
        account_id: str | None = None

    for record in records:
        try:
            owner = msgspec.json.decode(record, type=Owned).account_id
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue  # for the quarantine
        if owner and owner not in asked:
            raise VendorError(
                "evovoice sent a session of an account that was not asked for, so it "
                "did not understand AccountIds; check account_ids",
                stops_account=True,
            )


def _classify_error(status: int, body: bytes) -> ApiError | None:
    """Read ServiceStack's ``{"responseStatus"}`` (evovoice.md, section 9)."""

    class Status(msgspec.Struct, rename="camel"):
        error_code: str | None = None
        message: str | None = None

    class Trouble(msgspec.Struct, rename="camel"):
        response_status: Status | None = None

    try:
        said = msgspec.json.decode(body, type=Trouble).response_status
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if said is None or not (said.error_code or said.message):
        return None
    words = f"refused (HTTP {status}): {said.message or said.error_code}"
    if status == 401:  # noqa: PLR2004
        return ApiError(
            "auth", f"{words}; check the credentials, username and password"
        )
    if status == 403:  # noqa: PLR2004
        return ApiError("stop_account", f"{words}; check account_ids and the role")
    if status in {408, 425, 429} or status >= 500:  # noqa: PLR2004
        return ApiError("retry", words)
    return ApiError("stop_window", words)
