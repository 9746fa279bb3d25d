"""Voximplant: the call history, a record per JavaScript session, and the money ledger.

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
from pipelines.extract.pagination import Listing, Page, by_offset, pages, without
from pipelines.extract.sign_in import signed_jwt
from pipelines.extract.source import Endpoint, Source, SourceSettings, client_of
from pipelines.extract.spans import in_halves, span_of
from pipelines.extract.window_reader import ReadOptions
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, SECOND, Window, read_time
from pipelines.sources import query

ZONE = "Etc/GMT"
SAME_ZONE = frozenset({ZONE, "Etc/UTC", "GMT", "UTC"})


class Settings(SourceSettings, frozen=True, kw_only=True):
    """What one account's service key can be configured with (voximplant.md)."""

    account_id: str
    key_id: str
    private_key: str
    base_url: str = "https://api.voximplant.com/platform_api"
    page_size: int = 1000
    child_account_id: str = ""
    children_calls_only: bool = False
    transactions: bool = False
    transaction_holds: bool = False


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
    "account_info", "account_info", "account_id", "", is_full_refresh=True
)
TRANSACTIONS = replace(
    CALL_SESSIONS,
    name="transactions",
    table="transactions",
    primary_key="transaction_id",
    event_time_field="performed_at",
    calls="",
    pending="",
    ids_per_request=0,
    is_optional=True,
    complete_for=timedelta(),
    personal=("transaction_description",),
)
HOLDS = replace(
    TRANSACTIONS,
    name="transaction_holds",
    table="transaction_holds",
    event_time_field="",
    is_full_refresh=True,
)
STREAMS = (CALL_SESSIONS, ACCOUNT_INFO, TRANSACTIONS, HOLDS)
SECRETS = ("api_key", "callback_salt")
"""Keys of an account's record (voximplant.md, section 3)."""
SENT = {"timezone": ZONE, "with_total_count": "true", "desc_order": "false"}
PARTS = ("with_calls", "with_records", "with_other_resources")
HISTORY = Listing(
    "/GetCallHistory",
    records="result",
    method="POST",
    total="total_count",
    data={**SENT, **dict.fromkeys(PARTS, "true"), "offset": 0},
    bounds=("from_date", "to_date"),
    time_form="%Y-%m-%d %H:%M:%S",
    reach=10_000,  # the highest offset allowed
    repeats={"timezone": SAME_ZONE},
    paging=by_offset("offset", 1000),
    warnings="warnings",
)
LEDGER = replace(
    HISTORY,
    path="/GetTransactionHistory",
    data={**SENT, "with_extended_info": "true", "offset": 0},
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
    children = {"children_calls_only": str(settings.children_calls_only).lower()}
    if settings.child_account_id:
        children["child_account_id"] = settings.child_account_id
    size = {"count": settings.page_size}
    history, ledger = HISTORY.moved(size | children), LEDGER.moved(size)
    reserved = ledger.moved({"is_uncommitted": "true"})
    endpoints = [
        Endpoint(CALL_SESSIONS, partial(read, client, history)),
        Endpoint(ACCOUNT_INFO, partial(account_info, client)),
        Endpoint(TRANSACTIONS, partial(read, client, ledger)),
        Endpoint(HOLDS, lambda _: pages(client, reserved)),
    ]
    return Source(client, endpoints, settings.concurrency)


def account_info(client: Client, _: Window) -> Iterator[Page]:
    """Yield the account as it stands now, without the secrets that come with it."""
    for page in pages(client, ACCOUNT):
        yield without(page, SECRETS)


def read(client: Client, listing: Listing, window: Window) -> Iterator[Page]:
    """Yield the records that began in a window, or the sessions it names.

    Some come twice. Dates that surely span them have to be sent with ids as well.
    """
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
