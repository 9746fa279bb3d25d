"""EvoVoice: voice, chat and fax sessions, and the accounts with their prices.

A session lies in one of two collections, live or archived, and a list sees one of them:
each is a stream of its own (evovoice.md, section 10). `evovoice.md` has what is known.
"""

import re
from collections.abc import Iterator
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
from pipelines.extract.errors import ApiError, VendorError, decoded
from pipelines.extract.pagination import (
    Envelope,
    Listing,
    Page,
    by_page,
    checked,
    pages,
    refuse_others,
)
from pipelines.extract.source import Endpoint, Source, SourceSettings, client_of
from pipelines.extract.window_reader import ReadOptions
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Window, read_time
from pipelines.sources import query

COOKIE_SECONDS = 86_400.0
"""No life is named: the cookies serve until they are refused."""


class Settings(SourceSettings, frozen=True, kw_only=True):
    """What one login can be configured with."""

    username: str
    password: str
    account_ids: str
    """The vendor's ids of the accounts to read, comma-separated."""
    base_url: str = "https://evovoice.io"
    login: Literal["basic", "cookie"] = "basic"


def _read_time(text: str) -> datetime:
    """Read every form of date that evovoice.md, section 6, lists, as UTC."""
    if ticks := re.fullmatch(r"/Date\((-?\d{1,14})([+-]\d{4})?\)/", text):
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return epoch + timedelta(milliseconds=int(ticks[1]))
    return read_time(text, "UTC")


SESSIONS = Stream(
    name="sessions",
    table="sessions",
    primary_key="id",
    event_time_field="dateCreated",
    read_time=_read_time,
    updated_at_field="dateLastModified",
    whole_months=True,  # a month's calls share its allowance
    calls=query("evovoice_calls"),
    pending=query("evovoice_pending"),
    ids_per_request=100,  # 24 characters each, in an address of some 8,000
    complete_for=12 * DAY,
)
ARCHIVED_SESSIONS = replace(
    SESSIONS,
    name="archived_sessions",
    availability_delay=13 * DAY,
    lookback=17 * DAY,
    min_lookback=17 * DAY,  # a session moves in at about 15 days
    complete_for=timedelta(),
)
ACCOUNTS = Stream(
    name="accounts",
    table="accounts",
    primary_key="id",
    event_time_field="",
    is_full_refresh=True,
)
STREAMS = (SESSIONS, ARCHIVED_SESSIONS, ACCOUNTS)
SESSION_LIST = Listing(
    "/sessions",
    records="items",
    total="totalCount",
    params={"Page": 0, "SortField": "DateCreated", "SortOrder": "Ascend"},
    bounds=("StartDate", "EndDate"),
    time_form="%Y-%m-%d",
    paging=by_page("Page", "hasMorePages"),
)
LISTINGS = {
    SESSIONS: SESSION_LIST.moved({"SearchArchive": "false"}),
    ARCHIVED_SESSIONS: SESSION_LIST.moved({"SearchArchive": "true"}),
}


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
    size, ids = {"CountPerPage": settings.page_size}, settings.account_ids
    endpoints = [
        Endpoint(stream, partial(sessions, client, listing.moved(size), ids))
        for stream, listing in LISTINGS.items()
    ]
    endpoints.append(Endpoint(ACCOUNTS, partial(accounts, client, ids)))
    return Source(client, endpoints, settings.concurrency)


def sessions(
    client: Client, listing: Listing, account_ids: str, window: Window
) -> Iterator[Page]:
    """Yield the sessions created on the UTC days of a window, or those it names."""
    asked = _ids(account_ids)
    # It is not known which time the days filter: a named one is surely between.
    margin = DAY if window.ids else timedelta()
    first, last = window.start - margin, window.end + margin - timedelta.resolution
    listing = replace(listing, check=partial(_check_owners, asked))
    listing = listing.between(first, last).moved({"AccountIds": ",".join(asked)})
    for named in window.named("SpecificIds", SESSIONS.ids_per_request):
        yield from pages(client, listing.moved(named))


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


def _check_owners(asked: list[str], _: Listing, __: Envelope, page: Page) -> None:
    refuse_others(
        page,
        "accountId",
        asked,
        "evovoice sent a session of an account that was not asked for, so it did not "
        "understand AccountIds; check account_ids",
        stops_account=True,
    )


MEANINGS = {
    401: ApiError("auth", "; check the credentials, username and password"),
    403: ApiError("stop_account", "; check account_ids and the role"),
    **dict.fromkeys((408, 425, 429, *range(500, 600)), ApiError("retry", "")),
}
"""What an HTTP status means, and what to do about it (evovoice.md, section 9)."""


def _classify_error(status: int, body: bytes) -> ApiError | None:
    """Read ServiceStack's ``{"responseStatus"}`` (evovoice.md, section 9)."""

    class Status(msgspec.Struct, rename="camel"):
        error_code: str | None = None
        message: str | None = None

    class Trouble(msgspec.Struct, rename="camel"):
        response_status: Status | None = None

    trouble = (decoded(body, Trouble) or Trouble()).response_status or Status()
    if not (message := trouble.message or trouble.error_code):
        return None
    meaning = MEANINGS.get(status, ApiError("stop_window", ""))
    return meaning.of(f"refused (HTTP {status}): {message}")
