"""EvoVoice: sessions; accounts and customers with their prices; the carrier's usage.

A session lies in one of two collections, live or archived, and a list sees one of them:
each is a stream of its own (evovoice.md, section 10). `evovoice.md` has what is known.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Literal

from msgspec import Raw, json

from pipelines.extract.auth import basic_auth
from pipelines.extract.client import Auth, Client
from pipelines.extract.errors import ApiError, Reply, VendorError, meaning_of
from pipelines.extract.pagination import Listing, Page, by_page, only, pages, record_of
from pipelines.extract.sign_in import login_cookies
from pipelines.extract.source import Endpoint, Source, SourceSettings, client_of
from pipelines.extract.window_reader import ReadOptions
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Window, read_dotnet_time
from pipelines.sources import query


class Settings(SourceSettings, frozen=True, kw_only=True):
    """What one login can be configured with."""

    username: str
    password: str
    account_ids: str
    """The vendor's ids of the accounts to read, comma-separated."""
    base_url: str = "https://evovoice.io"
    login: Literal["basic", "cookie"] = "basic"
    customers: bool = True
    """Whether customers are read, who may have prices of their own."""
    billing_usage: bool = True
    """Whether the carrier's usage of the present month and the last is read."""
    price_owner: Literal["nearest", "outermost", "account"] = "nearest"
    """Whose prices count where customers override those of the account."""
    price_formula: Literal["multiplied_units", "markup"] = "multiplied_units"
    """What `rawUnitMultiplier` multiplies: units, or the carrier's price."""
    rates_byoa: bool = False
    """Whether calls of an account with its own carrier are rated, too."""
    bill_unanswered: bool = False
    """Whether an outbound call that nobody took has minutes to pay."""
    bill_ringing: bool = False
    """Whether an outbound call has minutes to pay before it was answered."""


LOG_LINES = (
    *("incoming call", "outgoing call", "call started", "menu …"),
    *("ringing", "ringing …", "queued", "queued in …"),
    *("answered", "answered by …", "connected", "connected to …"),
    *("placed on hold", "placed on hold by …", "resumed", "resumed by …"),
    *("transferring to …", "sent to voicemail"),
    *("call ended", "hung up", "hung up by …"),
)
"""Lines of a log that are not personal up to their …: those of seeds/log_lines.csv."""
OUR_DEVICES = "client:.+|[0-9]{2,6}"
"""Addresses within the account: a program, or an extension (evovoice.md, section 7)."""
SESSIONS = Stream(
    name="sessions",
    table="sessions",
    primary_key="id",
    event_time_field="dateCreated",
    read_time=read_dotnet_time,
    updated_at_field="dateLastModified",
    whole_months=True,  # for the allowance
    calls=query("evovoice_calls"),
    pending=query("evovoice_pending"),
    ids_per_request=100,  # 24 characters each, in an address of some 8,000
    complete_for=12 * DAY,
    personal=(
        f"fromAddress unless direction=Outgoing|1 but for {OUR_DEVICES}",
        "fromName unless direction=Outgoing|1",
        "fromPhoneNumber unless direction=Outgoing|1",
        f"toAddress unless direction=Incoming|0 but for {OUR_DEVICES}",
        f"destination unless direction=Incoming|0 but for {OUR_DEVICES}",
        *("callbackNumber", "displayName", "consoleData"),
        "log.* except date|message",
        "log.message keeping " + "|".join(LOG_LINES),
        "members.identity unless role=Agent|2",
        "members.displayName unless role=Agent|2",
        *("members.applicationData", "members.avatarUrl"),
    ),
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
CUSTOMERS = replace(ACCOUNTS, name="customers", table="customers", is_optional=True)
BILLING_USAGE = replace(CUSTOMERS, name="billing_usage", table="billing_usage")
STREAMS = (SESSIONS, ARCHIVED_SESSIONS, ACCOUNTS, CUSTOMERS, BILLING_USAGE)
SESSION_LIST = Listing(
    "/sessions",
    records="items",
    total="totalCount",
    params={"Page": 0, "SortField": "DateCreated", "SortOrder": "Ascend"},
    bounds=("StartDate", "EndDate"),
    time_form="%Y-%m-%d",
    paging=by_page("Page", "hasMorePages"),
)
CUSTOMER_LIST = replace(SESSION_LIST, path="/customers")
LISTINGS = {
    SESSIONS: SESSION_LIST.moved({"SearchArchive": "false"}),
    ARCHIVED_SESSIONS: SESSION_LIST.moved({"SearchArchive": "true"}),
}


def connect(settings: Settings, options: ReadOptions) -> Source:
    """Return the source of one login's sessions and accounts."""
    name, password = settings.username, settings.password
    auth: Auth = basic_auth(name, password)
    if settings.login == "cookie":
        url = f"{settings.base_url.rstrip('/')}/auth/credentials"
        login = {"provider": "credentials", "userName": name, "password": password}
        asked = {**login, "rememberMe": True}
        auth = login_cookies("evovoice", url, asked, _classify_error)
    client = client_of("evovoice", settings, options, auth, _classify_error)
    size, ids = {"CountPerPage": settings.page_size}, settings.account_ids
    endpoints = [
        Endpoint(stream, partial(sessions, client, listing.moved(size), ids))
        for stream, listing in LISTINGS.items()
    ]
    listing = _of_accounts(CUSTOMER_LIST.moved(size), ids)
    endpoints += [
        Endpoint(ACCOUNTS, partial(accounts, client, ids)),
        Endpoint(CUSTOMERS, lambda _: pages(client, listing)),
        Endpoint(BILLING_USAGE, partial(billing_usage, client, ids)),
    ]
    return Source(client, endpoints, settings.concurrency)


def sessions(
    client: Client, listing: Listing, account_ids: str, window: Window
) -> Iterator[Page]:
    """Yield the sessions created on the UTC days of a window, or those it names."""
    # It is not known which time the days filter: a named one is surely between.
    margin = DAY if window.ids else timedelta()
    first, last = window.start - margin, window.end + margin - timedelta.resolution
    listing = _of_accounts(listing, account_ids).between(first, last)
    for named in window.named("SpecificIds", SESSIONS.ids_per_request):
        yield from pages(client, listing.moved(named))


def accounts(client: Client, account_ids: str, _: Window) -> Iterator[Page]:
    """Yield each configured account as it stands now."""
    for account_id in _ids(account_ids):
        yield record_of(client, "/accounts", account_id)


def billing_usage(client: Client, account_ids: str, window: Window) -> Iterator[Page]:
    """Yield the carrier's usage of each account: this month's, and the last one's.

    The vendor answers with a list that names neither; a record says for what it is.
    """
    this = window.start.replace(day=1)
    for month in ((this - DAY).replace(day=1), this):
        last = (month + 31 * DAY).replace(day=1) - DAY
        asked = {"StartDate": f"{month:%Y-%m-%d}", "EndDate": f"{last:%Y-%m-%d}"}
        for account_id in _ids(account_ids):
            params = {"AccountId": account_id, **asked}
            found = client.ask("GET", "/billing/usage", list[Raw], params=params)
            record = {"id": f"{account_id} {month:%Y-%m}", **params, "usage": found}
            yield Page([Raw(json.encode(record))])


def _of_accounts(listing: Listing, account_ids: str) -> Listing:
    """Return a list of these accounts, which refuses a record of any other one."""
    asked = _ids(account_ids)
    check = only(
        "accountId", asked, "AccountIds", "check account_ids", stops_account=True
    )
    return replace(listing, check=check).moved({"AccountIds": ",".join(asked)})


def _ids(account_ids: str) -> list[str]:
    """Split a comma-separated list; none at all is an error."""
    found = filter(None, (part.strip() for part in account_ids.split(",")))
    if unique := list(dict.fromkeys(found)):
        return unique
    raise VendorError(
        "evovoice: account_ids is empty, and without it the vendor answers with "
        "whatever accounts the login sees; name the accounts, comma-separated",
        stops_account=True,
    )


MEANINGS = {
    401: ApiError("auth", "; check the credentials, username and password"),
    403: ApiError("no_scope", "; check account_ids and the role"),
    404: ApiError("absent", ""),
    **dict.fromkeys((408, 425, 429, *range(500, 600)), ApiError("retry", "")),
}
"""What an HTTP status means, and what to do about it (evovoice.md, section 9)."""


def _classify_error(reply: Reply) -> ApiError | None:
    """Read ServiceStack's ``{"responseStatus"}`` (evovoice.md, section 9)."""
    found = [reply.text("responseStatus", key) for key in ("message", "errorCode")]
    message = found[0] or found[1]
    # A filter that ends a request says nothing but its status.
    if not message and (reply.body.strip() or reply.status not in {403, 404}):
        return None
    sentence = f"refused (HTTP {reply.status}): {message or 'no reason given'}"
    return meaning_of(MEANINGS, reply.status, sentence, ApiError("stop_window", ""))
