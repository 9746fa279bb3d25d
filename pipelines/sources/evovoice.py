"""EvoVoice: voice, chat and fax sessions, and the accounts with their prices.

A session lies in one of two collections, live or archived, and a list sees one of them:
each is a stream of its own (evovoice.md, section 10). `evovoice.md` has what is known.
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
from pipelines.extract.errors import Refusal, VendorError
from pipelines.extract.pagination import (
    Envelope,
    Listing,
    Page,
    by_page,
    checked,
    pages,
)
from pipelines.extract.source import Endpoint, Source, SourceSettings, client_of
from pipelines.extract.window_reader import Terms
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


def connect(settings: Settings, options: Terms) -> Source:
    """Return the source of one login's sessions and accounts."""
    name, password = settings.username, settings.password
    # As bytes: requests would write text as Latin-1, or fail to.
    auth: Auth = HTTPBasicAuth(name.encode(), password.encode())
    if settings.login == "cookie":
        sign_in = Client(
            "evovoice", settings.base_url, refused=_refused, is_sign_in=True
        )
        cookies = partial(_cookies, sign_in, name, password)
        auth = BearerToken(cookies, header="Cookie", scheme="", shared="login")
    client = client_of("evovoice", settings, options, auth, _refused)
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


def _refused(status: int, body: bytes) -> Refusal | None:
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
        return Refusal(
            "sign_in", f"{words}; check the credentials, username and password"
        )
    if status == 403:  # noqa: PLR2004
        return Refusal("stop_account", f"{words}; check account_ids and the role")
    if status in {408, 425, 429} or status >= 500:  # noqa: PLR2004
        return Refusal("retry", words)
    return Refusal("stop_window", words)
