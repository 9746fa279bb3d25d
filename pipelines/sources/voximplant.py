"""Voximplant: the call history, one record per JavaScript session with its legs.

`voximplant.md` has what is known of the API, and how surely.
"""

import re
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pipelines.extract.auth import BearerToken
from pipelines.extract.client import Client
from pipelines.extract.errors import ApiError, VendorError, clean, decoded
from pipelines.extract.pagination import (
    Envelope,
    Listing,
    Page,
    by_offset,
    in_halves,
    pages,
    promised,
    span_of,
)
from pipelines.extract.source import Endpoint, Source, SourceSettings, client_of
from pipelines.extract.window_reader import ReadOptions
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, SECOND, Window, read_time
from pipelines.sources import query

REACH = 10_000
"""Records of one question that paging is sure to get: the highest offset allowed."""
ZONE = "Etc/GMT"
SAME_ZONE = frozenset({ZONE, "Etc/UTC", "GMT", "UTC"})
TOKEN_SECONDS = 300
"""Far below the hour allowed: a token that leaks is soon worth nothing."""
CLOCK_SKEW = 5
"""The vendor's own libraries date a token back this far."""
ANSWER_SECONDS = 150.0
"""A page of 1,000 sessions with all their parts is slow."""


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
)


def connect(settings: Settings, options: ReadOptions) -> Source:
    """Return the source of one account's call history."""
    auth = BearerToken(
        partial(_token, settings.account_id, settings.key_id, settings.private_key)
    )
    client = client_of(
        "voximplant",
        settings,
        options,
        auth,
        _classify_error,
        read_seconds=ANSWER_SECONDS,
    )
    endpoints = [
        Endpoint(CALL_SESSIONS, partial(call_sessions, client, settings.page_size)),
        Endpoint(ACCOUNT_INFO, partial(account_info, client)),
    ]
    return Source(client, endpoints, settings.concurrency)


def call_sessions(client: Client, page_size: int, window: Window) -> Iterator[Page]:
    """Yield the sessions that started in a window, or those it names.

    Some come twice. Dates that surely span them have to be sent with ids as well.
    """
    listing = replace(
        HISTORY.moved({"count": page_size}),
        paging=by_offset("offset", page_size),
        check=partial(_check, client),
    )
    if window.ids:
        listing = listing.between(window.start - DAY, window.end + DAY)
        size = CALL_SESSIONS.ids_per_request
        for named in window.named("call_session_history_id", size, separator=";"):
            yield from pages(client, listing.moved(named))
        return
    start = window.start.replace(microsecond=0)
    end = (window.end + SECOND - timedelta.resolution).replace(microsecond=0)
    yield from in_halves(span_of(client, listing), start, end)


def account_info(client: Client, _: Window) -> Iterator[Page]:
    """Yield the account as it is now: its currency stands nowhere else."""
    envelope = client.ask("POST", "/GetAccountInfo", Envelope)
    promised(envelope, "result", Envelope, "voximplant /GetAccountInfo")
    _heed(client, (), envelope)
    yield Page([envelope["result"]])


def _check(client: Client, listing: Listing, envelope: Envelope, _: Page) -> None:
    """Refuse an answer to another question, in another time zone for example."""
    place = f"voximplant {listing.path}"
    zone = promised(envelope, "timezone", str, place)
    if zone not in SAME_ZONE:
        raise VendorError(f"{place} answered in time zone {zone!r}, not in {ZONE}")
    _heed(client, listing.data.keys(), envelope)


def _heed(client: Client, sent: Collection[str], envelope: Envelope) -> None:
    """Read ``warnings``: what the vendor ignored of a question that it answered.

    One that names a parameter that was sent is of an answer to another question.
    """
    warnings: Any = msgspec.json.decode(envelope.get("warnings", b"[]"))
    for warning in warnings if isinstance(warnings, list) else [warnings]:
        if not warning:
            continue
        text = clean(str(warning))
        if ignored := sorted({*sent} & {*re.findall(r"\w+", str(warning))}):
            raise VendorError(
                f"voximplant did not heed {', '.join(ignored)}, so that its answer may "
                f"lack records; the window is open (it warns: {text})"
            )
        client.warn(f"voximplant warns: {text}")


def _token(account_id: str, key_id: str, private_key: str) -> tuple[str, float]:
    issued = int(time.time()) - CLOCK_SKEW
    claims = {"iss": account_id, "iat": issued, "exp": issued + TOKEN_SECONDS}
    token = jwt.encode(claims, _key(private_key), "RS256", headers={"kid": key_id})
    return token, float(TOKEN_SECONDS - CLOCK_SKEW)


def _key(pem: str) -> RSAPrivateKey:
    r"""Read the key; an environment variable may hold its line ends as ``\n``."""
    try:
        key = load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, RSAPrivateKey):
        return key
    raise VendorError(
        "voximplant: private_key is not an RSA private key in PEM form; copy the whole "
        "private_key out of the service account's credentials.json",
        stops_account=True,
    )


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


def _classify_error(_: int, body: bytes) -> ApiError | None:
    """Read the error body ``{"error": {"code", "msg"}}`` (voximplant.md, section 9)."""

    class Trouble(msgspec.Struct):
        code: int
        msg: str | None = None

    class Answer(msgspec.Struct):
        error: Trouble | None = None
        errors: list[Trouble] = []

    if b'"error' not in body:
        return None
    if (answer := decoded(body, Answer)) is None:
        another = ApiError("stop_window", "sent an error in another shape")
        return another if decoded(body, msgspec.Raw) is not None else None
    for trouble in filter(None, (answer.error, *answer.errors)):
        meaning = MEANINGS.get(trouble.code, ApiError("stop_window", ""))
        return meaning.of(f"refused with code {trouble.code}: {trouble.msg or ''}")
    return None
