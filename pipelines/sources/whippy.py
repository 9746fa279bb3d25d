"""Whippy: the search of calls, one record per call of a person or an AI agent.

| stream | endpoint | grain | windows on | table |
|---|---|---|---|---|
| calls | POST /calls/search | call | created_at | calls |

Limits: 25 requests/s, counted per key and per organization; a page is 100 records:
    sources disagree whether the maximum is 100 or 500, and a page may be capped
    without a word. A query is cut off after ``timeout``, at most 120 s.
Time: ISO 8601, UTC, microseconds, ``Z``; older resources omit the ``Z``. The filter
    knows the creation only, yet duration and analysis come later: days are read
    again, first all of them, then those in which calls still wait for either.
Paging: limit and offset in the query, filters in the body; the offset moves by what
    came. No sort: newest first, so ``before`` stands still while a window is read.
Auth: the organization's key in ``X-WHIPPY-KEY``; it does not expire.
Surprises: durations are milliseconds; there is no price of a call anywhere.
Unverified: the path and the whole shape of a call (POST and the names of the filters
    follow from the document); ``total`` (where it is missing, an empty page is the
    last); whether bounds are strict (taken: both; a second more is asked).
Docs: vendors/whippy.md; seeds/whippy-search-calls.txt
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial

import dlt
import msgspec
from dlt.common.typing import TSecretStrValue
from dlt.extract import DltResource

from pipelines.http import Client, HeaderKey, Refusal
from pipelines.landing import Clock, landed, utc_now
from pipelines.paging import Listing, Page, by_offset, pages
from pipelines.stream import Stream
from pipelines.windows import DAY, Window, read_time

SEARCH_SECONDS = 60
"""Twice what the vendor allows a search by default; deep offsets are slow."""
ANSWER_SECONDS = 75.0
"""Longer than the search, so that the vendor's own error is what arrives."""

CALLS = Stream(
    name="calls",
    table="calls",
    record_id="id",
    event_at="created_at",
    read_time=partial(read_time, zone="UTC"),
    version="updated_at",
    lookback=3 * DAY,
    pending="pending_whippy",
)
STREAMS = (CALLS,)


@dlt.source(name="whippy")
def whippy(
    *,
    windows: Iterable[Window],
    api_key: TSecretStrValue,
    account: str = "main",
    base_url: str = "https://api.whippy.co/v1",
    path: str = "/calls/search",
    page_size: int = 100,
    requests_per_second: float = 10.0,
    clock: Clock = utc_now,
) -> list[DltResource]:
    """Load windows of one organization's calls (shapes: `pipelines.landing`)."""
    client = Client(
        "whippy",
        base_url,
        HeaderKey("X-WHIPPY-KEY", api_key),
        requests_per_second=requests_per_second,
        refused=_refused,
        read_seconds=ANSWER_SECONDS,
    )
    fetch = partial(calls, client, path, page_size)
    return landed(account, windows, client, {CALLS: fetch}, clock)


def calls(client: Client, path: str, page_size: int, window: Window) -> Iterator[Page]:
    """Yield the calls that were created in a window."""
    listing = Listing(
        path,
        records="data",
        method="POST",
        total="total",
        total_is_promised=False,
        params={"limit": page_size, "offset": 0, "timeout": SEARCH_SECONDS * 1000},
        json={
            "after": _moment(window.start - timedelta(seconds=1)),
            "before": _moment(window.end),
        },
    )
    # A page that is not full may have been capped: only an empty one is the last.
    yield from pages(client, listing, by_offset("offset", limit=1))


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _refused(status: int, body: bytes) -> Refusal | None:
    """Read ``{"errors": [{"description"}]}`` or ``{"error"}`` (section 4)."""

    class Description(msgspec.Struct):
        description: str = ""

    class Trouble(msgspec.Struct):
        errors: list[Description] = []
        error: str = ""

    if status not in {401, 403, 404, 422}:
        return None
    try:
        trouble = msgspec.json.decode(body, type=Trouble)
    except msgspec.MsgspecError:
        return None
    said = "; ".join(error.description for error in trouble.errors) or trouble.error
    words = f"answered HTTP {status} {said}".strip()
    if status in {401, 403}:
        return Refusal("stop_account", f"{words}; check the credentials, api_key")
    if status == 404:  # noqa: PLR2004
        return Refusal("stop_account", f"{words}; check base_url and path")
    return Refusal("stop_window", words)
