"""What is surprising in a vendor's API, over real HTTP.

Days are read by the sources as they stand, from the sandbox or from a vendor that
answers as its notes in pipelines/sources/ say; what became of a call is read from the
published tables.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

import duckdb
import msgspec
import pytest
import requests
from conftest import VENDORS, Answer, Row, ScriptedVendor, scripted_vendor, stamp
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pipelines.commands.run import build_and_publish
from pipelines.config.loader import read_config
from pipelines.extract import source as extract_source
from pipelines.extract.client import Auth, Client
from pipelines.extract.errors import ClassifyError, ResultTooLargeError
from pipelines.extract.pagination import Page, in_halves
from pipelines.extract.resources import dlt_source
from pipelines.extract.window_reader import ReadOptions
from pipelines.load.loader import load
from pipelines.planning.planner import plan
from pipelines.planning.windows import DAY, Window, day_windows, read_time
from pipelines.sandbox.process import Sandbox, running_sandbox
from pipelines.sources import connect, evovoice, streams_of, twin
from pipelines.warehouse.journal import LoadResult
from pipelines.warehouse.paths import Warehouse

NOW = read_time("2026-11-17T03:00:00Z")
MONDAY = ("2026-11-16", "2026-11-17")
FIRST = ("2026-03-01", "2026-03-02")
EVENING = read_time("2026-03-01T20:00:00Z")
NO_CONFIG = Path("no-such-folder")
SHIPPED = Path(__file__).parent.parent / "config/config.toml"
AT_ONCE = {"Retry-After": "0"}
CREDENTIALS = {
    "ZOOM": ("ACCOUNT_ID", "CLIENT_ID", "CLIENT_SECRET"),
    "VOXIMPLANT": ("ACCOUNT_ID", "KEY_ID"),
    "EVOVOICE": ("USERNAME", "PASSWORD", "ACCOUNT_IDS"),
    "TWIN": ("EMAIL", "PASSWORD"),
    "WHIPPY": ("API_KEY",),
}


@dataclass
class Reading:
    """What a source handed on: records as sent, ledger, quarantine."""

    records: list[Row] = field(default_factory=list)
    ledger: list[Row] = field(default_factory=list)
    quarantine: list[Row] = field(default_factory=list)

    @property
    def ids(self) -> set[str]:
        return {row["record_id"] for row in self.records}

    @property
    def states(self) -> set[str]:
        return {row["state"] for row in self.ledger}


def read(
    environment: dict[str, str],
    vendor: str,
    windows: Iterable[Window],
    now: datetime = NOW,
    **settings: object,
) -> Reading:
    """Read windows once, through the source with its configuration."""
    (configured,) = (
        one for one in read_config(NO_CONFIG, environment).vendors if one.name == vendor
    )
    (account,) = configured.accounts
    given = msgspec.structs.replace(account.settings, **settings)
    options = ReadOptions(lambda: now, keep_going=True)
    source = dlt_source("main", windows, connect(vendor, given, options), options)
    reading = Reading()
    for table in source:
        kinds = {"state": reading.ledger, "record_no": reading.quarantine}
        (rows,) = [kinds[name] for name in kinds if name in table.column_names] or [
            reading.records
        ]
        rows += table.to_pylist()
    return reading


def days(vendor: str, *ends: str) -> list[Window]:
    """Return the daily windows of what a vendor lists for every account."""
    return [
        window
        for stream in streams_of(vendor)
        if not stream.is_optional
        for window in day_windows(stream.name, *ends)
    ]


@dataclass
class House:
    """A warehouse that is loaded and built in this process."""

    folder: Path
    environment: dict[str, str]

    def night(self, vendor: str, now: datetime) -> LoadResult:
        config = read_config(self.folder, self.environment)
        (chosen,) = (one for one in config.vendors if one.name == vendor)
        outcome = load(chosen, config, now, lambda *_: None)
        build_and_publish(config, now)
        return outcome

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self._ask(self.folder / "calls.duckdb", sql)

    def raw(self, vendor: str, sql: str) -> list[tuple[Any, ...]]:
        return self._ask(Warehouse(self.folder).raw(vendor), sql)

    def build(self, now: datetime) -> None:
        build_and_publish(read_config(self.folder, self.environment), now)

    def _ask(self, file: Path, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(file), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()


def house(folder: Path, environment: dict[str, str], **changed: str) -> House:
    own = {"CALLHOUSE__WAREHOUSE": str(folder), "CALLHOUSE__START": FIRST[0]}
    return House(folder, {**environment, **own, **changed})


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox(NOW, volume=130) as running:
        yield running


@pytest.fixture
def world(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Give the sandbox, and leave its clock, its faults and its tokens as they were."""
    yield sandbox
    requests.delete(f"{sandbox.url}/_sandbox/faults", timeout=10)
    control(sandbox, "clock", now=stamp(NOW))
    for vendor in ("zoom", "twin", "evovoice"):
        control(sandbox, "token_life", vendor=vendor, seconds=3600)


def control(sandbox: Sandbox, name: str, **sent: object) -> None:
    url = f"{sandbox.url}/_sandbox/{name}"
    requests.post(url, json=sent, timeout=10).raise_for_status()


def truth(sandbox: Sandbox, vendor: str, since: datetime, until: datetime) -> set[str]:
    answer = requests.get(
        f"{sandbox.url}/_sandbox/truth",
        params={"vendor": vendor, "since": stamp(since), "until": stamp(until)},
        timeout=60,
    )
    return {call["vendor_call_id"] for call in answer.json()}


def asked_of(sandbox: Sandbox, path: str) -> int:
    seen = requests.get(f"{sandbox.url}/_sandbox/requests", timeout=10).json()
    return sum(seen["paths"].get(path, {}).values())


@cache
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def scripted_environment(url: str) -> dict[str, str]:
    """Return a configuration of five vendors that are all at one address."""
    values = {
        "ZOOM__ENGAGEMENTS": "false",
        "ZOOM__TOKEN_URL": f"{url}/login",
        "TWIN__LOGIN_URL": f"{url}/login",
        "VOXIMPLANT__ACCOUNTS__MAIN__PRIVATE_KEY": private_key(),
    }
    for vendor, keys in CREDENTIALS.items():
        values[f"{vendor}__BASE_URL"] = url
        values[f"{vendor}__REQUESTS_PER_SECOND"] = "1000"
        values |= {f"{vendor}__ACCOUNTS__MAIN__{key}": "a-1" for key in keys}
    return {f"CALLHOUSE__SOURCES__{name}": value for name, value in values.items()}


@contextmanager
def scripted_house(
    folders: pytest.TempPathFactory, vendor: str, **changed: str
) -> Iterator[tuple[ScriptedVendor, House]]:
    """Give a vendor that is scripted and a warehouse that loads from it."""
    with scripted_vendor() as scripted:
        environment = {**scripted_environment(scripted.url), **changed}
        yield scripted, house(folders.mktemp(vendor), environment)


def said(**body: object) -> Answer:
    return Answer(json.dumps(body).encode())


def listing(vendor: str, records: list[Row], **more: object) -> Answer:
    """Return the one page of a vendor's list."""
    count = len(records)
    pages: dict[str, Row] = {
        "zoom": {
            "voice_calls": records,
            "total_records": count,
            "next_page_token": "",
        },
        "voximplant": {
            "result": records,
            "total_count": count,
            "timezone": "Etc/GMT",
        },
        "evovoice": {"items": records, "totalCount": count, "hasMorePages": False},
        "twin": {"items": records, "count": count},
        "whippy": {"data": records, "total": count},
    }
    return said(**{**pages[vendor], **more})


def listed(vendor: str, records: list[Row]) -> Callable[[str, bytes], Answer]:
    """Answer logins, accounts and lists, whatever is asked."""

    def answer(path: str, _: bytes) -> Answer:
        if path.startswith("/login"):
            return said(access_token="t-1", expires_in=3600, token="t-1")
        if path.startswith("/GetAccountInfo"):
            return said(result={"account_id": 1, "currency": "RUR"})
        if path.startswith("/accounts/"):
            return said(id="a-1")
        return listing(vendor, records)

    return answer


def questions(vendor: ScriptedVendor) -> list[str]:
    """Return what was asked of a list: query and body in one, readable."""
    return [
        unquote_plus(urlsplit(path).query + body.decode())
        for _, path, _, body in vendor.got
        if not path.startswith(("/login", "/accounts/"))
    ]


# All vendors -------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", VENDORS)
def test_windows_read_at_the_same_time_bring_what_they_bring_in_turn(
    sandbox: Sandbox, vendor: str
) -> None:
    asked = days(vendor, "2026-11-09", "2026-11-16")
    environment = dict(sandbox.environment)
    in_turn = read(environment, vendor, asked)
    at_once = read(environment, vendor, asked, concurrency=4)
    compared = ("stream", "window_start", "state", "rows_distinct", "requests")
    assert [[row[name] for name in compared] for row in at_once.ledger] == [
        [row[name] for name in compared] for row in in_turn.ledger
    ]
    assert sorted(row["payload"] for row in at_once.records) == sorted(
        row["payload"] for row in in_turn.records
    )


@pytest.mark.parametrize("vendor", VENDORS)
def test_days_read_one_by_one_miss_no_call_at_their_edges(
    sandbox: Sandbox, vendor: str
) -> None:
    ends = ("2026-11-02", "2026-11-17")
    reading = read(dict(sandbox.environment), vendor, days(vendor, *ends))
    since, until = (read_time(end, "UTC") for end in ends)
    assert truth(sandbox, vendor, since, until) - reading.ids == set()
    assert reading.states == {"complete"}
    midnights = [
        row for row in reading.records if row["event_at"].strftime("%H%M%S") == "000000"
    ]
    assert midnights, "no call of this history stands at an edge"


SECOND_BEFORE = "2026-02-28T23:59:59"
ASKED = {
    "zoom": f"""
        from={SECOND_BEFORE}+00:00 to=2026-03-02T00:00:00+00:00
        page_size=100 view_type=detail
    """,
    "voximplant": """
        from_date=2026-02-28_23:59:59 to_date=2026-03-02_00:00:00 timezone=Etc/GMT
        with_calls=true with_records=true with_other_resources=true
        count=1000 desc_order=false
    """,
    "evovoice": """
        AccountIds=a-1 StartDate=2026-03-01 EndDate=2026-03-01 CountPerPage=100
        SortField=DateCreated SortOrder=Ascend SearchArchive=false
    """,
    "twin": f"""
        from={SECOND_BEFORE}+00:00 to=2026-03-02T00:00:00+00:00
        limit=1000 sort=+startedAt dateField=createdAt
    """,
    "whippy": f"""
        limit=100 timeout=60000 "after":"{SECOND_BEFORE}.000000Z"
        "before":"2026-03-02T00:00:00.000000Z"
    """,
}
SPOILT = {
    "zoom": "T00:00:00Z",
    "voximplant": "user_id=",
    "evovoice": "&from= &to= All= SimplifiedPaging=",
    "twin": "page= format= zip=",
    "whippy": "min_duration max_duration",
}
"""What would spoil it: another zone, phone filters, a filter that hides calls."""


@pytest.mark.parametrize("vendor", ASKED)
def test_a_day_is_asked_for_in_the_words_of_the_document(
    scripted: ScriptedVendor, vendor: str
) -> None:
    scripted.always = listed(vendor, [])
    environment = scripted_environment(scripted.url)
    reading = read(environment, vendor, days(vendor, *FIRST))
    assert reading.states == {"complete"}
    question = questions(scripted)[0].replace(": ", ":").replace(" ", "_")
    assert [part for part in ASKED[vendor].split() if part not in question] == []
    assert [part for part in SPOILT[vendor].split() if part in question] == []


def test_a_set_that_moved_while_it_was_paged_is_read_again(
    scripted: ScriptedVendor,
) -> None:
    one, two, three = (
        {"id": f"w{number}", "created_at": "2026-03-01T10:00:00Z"}
        for number in (1, 2, 3)
    )
    scripted.answers = [
        listing("whippy", [one, two], total=3),
        listing("whippy", [two], total=3),  # a new call pushed this one back
        listing("whippy", [one, two, three]),
    ]
    environment = scripted_environment(scripted.url)
    reading = read(environment, "whippy", days("whippy", *FIRST))
    assert reading.ids == {"w1", "w2", "w3"}
    assert reading.states == {"complete"}


def test_a_question_without_an_answer_is_halved_down_to_a_shortest() -> None:
    asked: list[timedelta] = []

    def span(start: datetime, end: datetime) -> Iterator[Page]:
        asked.append(end - start)
        yield Page([], total=7)
        raise ResultTooLargeError("too long")

    with pytest.raises(ResultTooLargeError):
        list(in_halves(span, NOW, NOW + DAY, timedelta(hours=6)))
    assert asked == [DAY, DAY / 2, DAY / 4]


# Zoom --------------------------------------------------------------------------------


def test_a_zoom_token_that_ends_in_mid_run_is_renewed_and_nothing_is_lost(
    world: Sandbox,
) -> None:
    """The vendor says 3,600 seconds and then keeps a token for a fifth of one."""
    control(world, "token_life", vendor="zoom", seconds=0.2)
    for after in (1, 4):
        slow = {"vendor": "zoom", "kind": "slow", "seconds": 0.3, "after": after}
        control(world, "faults", **slow)
    before = asked_of(world, "/zoom/oauth/token")
    ends = ("2026-11-10", "2026-11-17")
    reading = read(dict(world.environment), "zoom", days("zoom", *ends))
    assert reading.states == {"complete"}
    since, until = (read_time(end, "UTC") for end in ends)
    assert reading.ids >= truth(world, "zoom", since, until)
    assert asked_of(world, "/zoom/oauth/token") - before >= 3


def test_a_zoom_page_token_that_died_is_no_last_page(scripted: ScriptedVendor) -> None:
    engagement = {"engagement_id": "z1", "start_time": "2026-03-01T10:00:00+00:00"}
    first = listing("zoom", [engagement], total_records=2, next_page_token="p2")
    died = Answer(b'{"code":300,"message":"The next page token is invalid"}', 400)
    login = said(access_token="t-1", expires_in=3600)
    scripted.answers = [login, first, died]
    environment = scripted_environment(scripted.url)
    reading = read(environment, "zoom", days("zoom", *FIRST))
    assert reading.states == {"failed"}
    assert reading.records == []


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (
            Answer(
                b'{"code": 429, "message": "You have reached the maximum daily rate '
                b'limit for this API. Refer to the response header for details."}',
                429,
            ),
            "daily rate limit for this API",
        ),
        (
            Answer(b'{"code": 4700, "message": "Invalid access token."}', 400),
            "grant the app this scope",
        ),
        (
            Answer(b'{"code": 4711, "message": "Invalid access token."}', 401),
            "grant the app this scope",
        ),
    ],
    ids=["daily", "4700", "4711"],
)
def test_zoom_is_not_asked_again_when_its_answer_will_be_the_same(
    tmp_path_factory: pytest.TempPathFactory, refusal: Answer, expected: str
) -> None:
    """The vendor is told of once, whatever number of days was to be read."""
    with scripted_house(tmp_path_factory, "zoom") as (vendor, built):
        login = said(access_token="t-1", expires_in=3600)
        vendor.always = lambda path, _: login if path == "/login" else refusal
        outcome = built.night("zoom", EVENING + 2 * DAY)
        assert len(questions(vendor)) == 1
    (error,) = outcome.errors
    assert expected in error
    assert not outcome.is_complete


def engagement(number: int, **fields: object) -> Row:
    return {
        "engagement_id": f"z{number}",
        "direction": "inbound",
        "start_time": "2026-03-01T10:00:00+00:00",
        "end_time": "2026-03-01T10:05:00+00:00",
        "total_duration": 300,
        "result": "completed",
        "caller_number": "+12025550101",
        "callee_number": "+12025550100",
        "consumer_number": "+12025550101",
        **fields,
    }


def leg(start: str, call_leg: str, charge: str) -> Row:
    return {
        "call_leg": call_leg,
        "start_time": f"2026-03-01T{start}+00:00",
        "total_duration": 60,
        "charge": charge,
        "rate": "$0.019",
    }


ZOOM = [
    engagement(
        1,
        charge="$0.152",
        rates=["$0.019"],
        voice_call_details=[
            leg("10:02:00", "outbound", "$0.038"),
            leg("10:00:00", "inbound", "$0.114"),
        ],
    ),
    engagement(2, callee_number_type="byoc_number", consumer_number="anonymous"),
    engagement(3, types=["internal_call"], charge=None),
    engagement(4, charge="€0.50"),
    engagement(
        5,
        start_time="2026-03-01T02:00:00-08:00",
        end_time="2026-03-01T02:05:00-08:00",
        charge="-",
        consumer_number="sip:front@pbx.example.com",
    ),
]


@pytest.fixture(scope="module")
def zoom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give two nights; in the second a consumer's number has been erased.

    They are configured with the file that is shipped.
    """
    with scripted_house(tmp_path_factory, "zoom") as (vendor, built):
        shutil.copy(SHIPPED, built.folder)
        vendor.always = listed("zoom", ZOOM)
        assert built.night("zoom", EVENING).errors == ()
        erased = {**ZOOM[0], "consumer_number": None, "caller_number": None}
        vendor.always = listed("zoom", [erased, *ZOOM[1:]])
        assert built.night("zoom", EVENING + DAY / 24).errors == ()
        yield built


def test_a_zoom_charge_is_the_whole_and_its_legs_are_not_added(zoom: House) -> None:
    assert zoom.query(
        "select cost_total, currency, cost_source, cost_status, leg_count "
        "from fact_calls where vendor_call_id = 'z1'"
    ) == [(Decimal("0.152"), "USD", "reported", "final", 2)]
    legs = "select leg_no, direction, cost from fact_call_legs order by 1"
    assert zoom.query(legs) == [
        (1, "inbound", Decimal("0.114")),
        (2, "outbound", Decimal("0.038")),
    ]


def test_a_zoom_call_without_a_charge_costs_nothing_known_rather_than_zero(
    zoom: House,
) -> None:
    unpriced = (
        "select vendor_call_id, cost_total, currency, cost_status from fact_calls "
        "where vendor_call_id in ('z2', 'z3', 'z5') order by 1"
    )
    assert zoom.query(unpriced) == [
        (number, None, None, "pending") for number in ("z2", "z3", "z5")
    ]
    zoom.build(EVENING + 8 * DAY)
    assert {row[3] for row in zoom.query(unpriced)} == {"none"}


def test_what_zoom_blanks_in_a_record_is_blank_in_what_is_held_of_it_before(
    zoom: House,
) -> None:
    before, after = map(json.loads, payloads(zoom, "zoom", "voice_calls", "z1"))
    assert before == after
    assert before["consumer_number"] is None
    assert before["callee_number"] == ZOOM[0]["callee_number"]
    (held,) = payloads(zoom, "zoom", "voice_calls", "z2")
    assert json.loads(held)["consumer_number"] == "anonymous"


def unknown(house: House) -> set[tuple[str, str]]:
    return {*house.query("select field, value from ops.unmapped_values")}


PRICED = (
    "select vendor_call_id, cost_total, currency from fact_calls "
    "where cost_total is not null order by 1"
)


def test_a_zoom_amount_in_another_currencys_symbol_is_in_that_one_and_told_of(
    zoom: House,
) -> None:
    assert unknown(zoom) == {("charge symbol", "€")}
    assert zoom.query(PRICED) == [
        ("z1", Decimal("0.152"), "USD"),
        ("z4", Decimal("0.50"), "EUR"),
    ]


def test_a_zoom_amount_in_dollars_is_in_no_other_accounts_currency(zoom: House) -> None:
    """Dollars of which country is unknown, so that there is no amount at all."""
    euro = {"CALLHOUSE__SOURCES__ZOOM__CURRENCY": "EUR"}
    configured = House(zoom.folder, {**zoom.environment, **euro})
    configured.build(EVENING + 9 * DAY)
    assert unknown(configured) == {
        ("charge symbol", "$"),
        ("voice_call_details.charge symbol", "$"),
    }
    assert configured.query(PRICED) == [("z4", Decimal("0.50"), "EUR")]
    legs = "select distinct cost, currency from fact_call_legs"
    assert configured.query(legs) == [(None, None)]
    prices = "select unit_price, unit from fact_call_costs"
    assert configured.query(prices) == [(None, None)]
    canadian = {"CALLHOUSE__SOURCES__ZOOM__CURRENCY": "CAD"}
    House(zoom.folder, {**zoom.environment, **canadian}).build(EVENING + 9 * DAY)
    assert zoom.query(PRICED)[0] == ("z1", Decimal("0.152"), "CAD")


def test_a_zoom_rate_is_a_price_of_a_minute_where_there_is_but_one(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    legs = [leg("10:00:00", "inbound", "$0.1"), leg("10:02:00", "outbound", "$0.1")]
    rated = {"charge": "$1,000.50", "charge_type": "per_minute"}
    cases: list[tuple[Row, str | None, str | None]] = [
        ({"rates": ["$0.019"]}, "0.019", "minute"),
        ({"rates": ["$0.019", "0.019 USD"]}, "0.019", "minute"),
        ({"rates": ["-$1,000.5"]}, "-1000.5", "minute"),
        ({"rates": ["$0.019"], "charge_type": "per_call"}, "0.019", None),
        ({"rates": ["$0.019"], "charge_type": None}, "0.019", None),
        ({"voice_call_details": legs}, "0.019", "minute"),
        ({"rates": ["$0.019", "$0.02"]}, None, None),
        ({"rates": ["$0.02"], "voice_call_details": legs}, None, None),
        ({"rates": ["$0.019", "free"]}, None, None),
        ({"rates": ["€0.019"]}, None, None),
        ({"rates": ["", "-", None]}, None, None),
        ({"rates": None}, None, None),
    ]
    with scripted_house(tmp_path_factory, "zoom") as (vendor, built):
        vendor.always = listed(
            "zoom",
            [
                engagement(number, **{**rated, **fields})
                for number, (fields, _, _) in enumerate(cases, start=1)
            ],
        )
        assert built.night("zoom", EVENING).errors == ()
        prices = built.query(
            "select call_key, unit_price, unit, quantity, amount from fact_call_costs"
        )
    assert sorted(prices) == sorted(
        (
            f"zoom:main:z{number}",
            None if price is None else Decimal(price),
            unit,
            None,
            Decimal("1000.5"),
        )
        for number, (_, price, unit) in enumerate(cases, start=1)
    )


def test_a_zoom_time_in_another_zone_is_the_same_instant(zoom: House) -> None:
    started = "select started_at, ended_at from fact_calls where vendor_call_id = 'z5'"
    assert zoom.query(started) == [
        (read_time("2026-03-01T10:00:00Z"), read_time("2026-03-01T10:05:00Z"))
    ]


def test_a_zoom_party_that_is_no_number_is_no_number(zoom: House) -> None:
    assert zoom.query(
        "select customer_number, customer_number_kind from fact_calls "
        "where vendor_call_id in ('z2', 'z5') order by vendor_call_id"
    ) == [(None, "anonymous"), (None, "sip")]


def test_a_number_that_zoom_has_erased_is_gone_from_the_facts(zoom: House) -> None:
    erased = "select customer_number, cost_total from fact_calls where {}"
    assert zoom.query(erased.format("vendor_call_id = 'z1'")) == [
        (None, Decimal("0.152"))
    ]
    versions = "select count(*) from raw.voice_calls where record_id = 'z1'"
    assert zoom.raw("zoom", versions) == [(2,)]


# Voximplant --------------------------------------------------------------------------


def test_an_expired_voximplant_token_is_signed_again_once(world: Sandbox) -> None:
    control(world, "faults", vendor="voximplant", kind="expire_token", times=1)
    environment = dict(world.environment)
    reading = read(environment, "voximplant", days("voximplant", *MONDAY))
    assert reading.states == {"complete"}
    control(world, "faults", vendor="voximplant", kind="expire_token", times=2)
    refused = read(environment, "voximplant", days("voximplant", *MONDAY))
    assert refused.ledger[0]["state"] == "failed"
    assert "456" in refused.ledger[0]["error"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b'{"error": {"code": 340, "msg": "Rate limit exceed"}}', 200, AT_ONCE),
        Answer(b'{"error": {"code": 515, "msg": "Too fast"}}', 200, AT_ONCE),
        Answer(b"", 429, AT_ONCE),
        *(
            Answer(b'{"error": {"code": %d, "msg": "Failed"}}' % code, 200, AT_ONCE)
            for code in (1, 2, 4, 5)
        ),
    ],
    ids=["340", "515", "429", "1", "2", "4", "5"],
)
def test_voximplant_is_asked_again_when_it_says_too_many_or_is_at_fault(
    scripted: ScriptedVendor, answer: Answer
) -> None:
    session = {"call_session_history_id": 7, "start_date": "2026-03-01 10:00:00"}
    scripted.answers = [answer, listing("voximplant", [session])]
    environment = scripted_environment(scripted.url)
    asked = [one for one in days("voximplant", *FIRST) if one.stream == "call_sessions"]
    reading = read(environment, "voximplant", asked)
    assert reading.ids == {"7"}
    assert reading.ledger[0]["retries"] == 1


def within_reach(sessions: list[Row]) -> Callable[[str, bytes], Answer]:
    """Answer as the vendor has it: 11,000 rows of one question, and no more."""

    def history(path: str, body: bytes) -> Answer:
        if not path.startswith("/GetCallHistory"):
            return said(result={"account_id": 1, "currency": "RUR"})
        form = dict(parse_qsl(body.decode()))
        offset = int(form["offset"])
        if offset > 10_000:
            return said(error={"code": 101, "msg": "Invalid arguments"})
        found = [
            one
            for one in sessions
            if form["from_date"] <= str(one["start_date"]) <= form["to_date"]
        ]
        page = found[offset : offset + int(form["count"])]
        return listing("voximplant", page, total_count=len(found))

    return history


def test_a_voximplant_day_beyond_11_000_sessions_comes_whole_and_is_counted_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    start, day_end = (read_time(end, "UTC") for end in FIRST)
    moments = [start + timedelta(seconds=7 * n) for n in range(12_000)]
    sessions = [
        {"call_session_history_id": number, "start_date": f"{moment:%Y-%m-%d %H:%M:%S}"}
        for number, moment in enumerate(moments, start=1)
    ]
    with scripted_house(tmp_path_factory, "voximplant") as (vendor, built):
        vendor.always = within_reach(sessions)
        outcome = built.night("voximplant", day_end + DAY / 12)
        sent = len(vendor.got)
    assert outcome.errors == ()
    assert built.query("select count(*) from fact_calls") == [(12_000,)]
    day = "where stream = 'call_sessions' and window_start = '2026-03-01T00:00:00Z'"
    total = f"select verdict, vendor_total, rows_distinct from ops.reconciliation {day}"
    assert built.query(total) == [("matched", 12_000, 12_000)]
    counted = "select sum(requests) from ops.load_windows"
    assert built.query(counted) == [(sent,)]
    assert outcome.requests == sent
    parts = built.query(
        "select window_start, window_end, split_of, requests, rows_distinct, "
        "rows_fetched from ops.load_windows where split_of is not null "
        "order by window_start"
    )
    starts, ends, wholes, requests_of, distinct, fetched = zip(*parts, strict=True)
    assert (starts[0], ends[-1]) == (start, day_end)
    assert starts[1:] == ends[:-1]
    assert {*wholes} == {"2026-03-01T00:00Z/2026-03-02T00:00Z"}
    assert {*requests_of, *distinct} == {None}
    assert all(0 < rows <= 11_000 for rows in fetched)
    assert sum(fetched) >= 12_000


def session(number: int, **fields: object) -> Row:
    return {
        "call_session_history_id": number,
        "start_date": "2026-03-01 09:50:02",
        "duration": 41,
        "finish_reason": "Normal termination",
        "log_file_url": f"https://storage.example/logs/{number}.log",
        "calls": [],
        "records": [],
        "other_resource_usage": [],
        **fields,
    }


def call(number: int, **fields: object) -> Row:
    return {
        "call_id": number,
        "start_time": f"2026-03-01 09:50:{number:02d}",
        "duration": 29,
        "local_number": "12025550100",
        "remote_number": "12025550101",
        "remote_number_type": "pstn",
        "incoming": True,
        "successful": True,
        "transaction_id": 100 + number,
        "cost": 0.0058,
        "end_reason": {"code": 200, "details": "Normal call clearing"},
        **fields,
    }


def agent(number: int, code: int) -> Row:
    party = {"remote_number": "agent1", "remote_number_type": "user"}
    failed = {"incoming": False, "successful": False, "duration": 0, "cost": 0}
    return call(number, **party, **failed, end_reason={"code": code, "details": ""})


RECORD = {
    "record_id": 77,
    "cost": 0.002,
    "transaction_id": 112,
    "start_time": "2026-03-01 09:50:03",
    "duration": 28,
    "record_url": "https://storage.example/rec/77.mp3",
    "transcription_status": "Complete",
}
VOXIMPLANT = [
    session(
        1,
        calls=[call(2, cost="0.0058"), agent(8, 480), agent(9, 603)],
        records=[RECORD],
        other_resource_usage=[
            {
                "resource_usage_id": 88,
                "resource_type": "TRANSCRIPTION",
                "cost": 0.002,
                "transaction_id": 112,  # the record's own charge, told twice
                "used_at": "2026-03-01 09:50:40",
            }
        ],
    ),
    session(2, user_id=5),
    session(
        3, duration=None, finish_reason=None, calls=[call(2, duration=None, cost=None)]
    ),
    session(
        4,
        calls=[
            call(
                2,
                incoming=False,
                remote_number="sip:desk@pbx.example.com",
                remote_number_type="sip",
                start_time="",
            )
        ],
    ),
]


@pytest.fixture(scope="module")
def voximplant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give two nights; in the second the addresses of log and recording are gone."""
    with scripted_house(tmp_path_factory, "voximplant") as (vendor, built):
        vendor.always = listed("voximplant", VOXIMPLANT)
        assert built.night("voximplant", EVENING).errors == ()
        silent = {**RECORD, "record_url": None}
        cleared = {**VOXIMPLANT[0], "log_file_url": None, "records": [silent]}
        vendor.always = listed("voximplant", [cleared, *VOXIMPLANT[1:]])
        assert built.night("voximplant", EVENING + DAY / 24).changed == 1
        yield built


def test_an_address_that_voximplant_clears_stays_in_the_older_version(
    voximplant: House,
) -> None:
    assert voximplant.raw(
        "voximplant",
        "select payload ->> 'log_file_url', payload ->> '$.records[0].record_url' "
        "from raw.call_sessions where record_id = '1' order by fetched_at",
    ) == [
        ("https://storage.example/logs/1.log", "https://storage.example/rec/77.mp3"),
        (None, None),
    ]


def test_a_voximplant_session_costs_its_transactions_once_in_roubles(
    voximplant: House,
) -> None:
    assert voximplant.query(
        "select cost_total, currency, cost_source from fact_calls "
        "where vendor_call_id = '1'"
    ) == [(Decimal("0.0078"), "RUB", "summed")]


def test_answered_by_the_voximplant_platform_is_not_answered_by_a_person(
    voximplant: House,
) -> None:
    assert voximplant.query(
        "select direction, outcome = 'answered', is_answered, customer_number, "
        "business_number, leg_count from fact_calls where vendor_call_id = '1'"
    ) == [("inbound", False, False, "+12025550101", "+12025550100", 3)]


def test_a_voximplant_session_without_legs_is_a_call_without_cost(
    voximplant: House,
) -> None:
    assert voximplant.query(
        "select direction, total_seconds, cost_total from fact_calls "
        "where vendor_call_id = '2'"
    ) == [("unknown", Decimal(41), None)]


def test_a_voximplant_session_that_runs_is_open(voximplant: House) -> None:
    assert voximplant.query(
        "select outcome, total_seconds, cost_total, cost_status, is_settled "
        "from fact_calls where vendor_call_id = '3'"
    ) == [("in_progress", None, None, "pending", False)]


def test_the_voximplant_side_of_a_number_follows_from_the_direction(
    voximplant: House,
) -> None:
    assert voximplant.query(
        "select direction, customer_number, customer_number_kind, business_number "
        "from fact_calls where vendor_call_id = '4'"
    ) == [("outbound", None, "sip", "+12025550100")]
    assert unknown(voximplant) == set()


# EvoVoice ----------------------------------------------------------------------------


@pytest.mark.parametrize("later", [0, 1, 2])
def test_no_evovoice_session_is_lost_while_it_moves_to_the_archive(
    world: Sandbox, later: int
) -> None:
    """Three nights in a row, each as a first load of what is 12 to 20 days old."""
    now = NOW + later * DAY
    control(world, "clock", now=stamp(now))
    since, until = now.replace(hour=0) - 20 * DAY, now.replace(hour=0) - 12 * DAY
    windows = [
        window
        for stream in evovoice.STREAMS[:2]
        for window in plan(stream, since, now, [])
        if since <= window.start < until
    ]
    environment = dict(world.environment)
    both = read(environment, "evovoice", windows, now)
    known = truth(world, "evovoice", since, until)
    assert known - both.ids == set()
    for stream in evovoice.STREAMS[:2]:
        own = [window for window in windows if window.stream == stream.name]
        assert known - read(environment, "evovoice", own, now).ids, "one is not enough"


def test_an_evovoice_session_that_moves_in_mid_run_is_seen(
    scripted: ScriptedVendor,
) -> None:
    """It leaves the live list for the archive as soon as anything was asked."""
    moving = {"id": "e1", "dateCreated": "2026-03-01T10:00:00Z", "accountId": "a-1"}
    archived: list[bool] = []

    def answer(path: str, _: bytes) -> Answer:
        asks_archive = "SearchArchive=true" in path
        is_archived = bool(archived)
        archived.append(True)
        return listing("evovoice", [moving] if asks_archive == is_archived else [])

    scripted.always = answer
    environment = scripted_environment(scripted.url)
    asked = [one for one in days("evovoice", *FIRST) if one.stream != "accounts"]
    reading = read(environment, "evovoice", reversed(asked))
    assert reading.ids == {"e1"}


def test_an_evovoice_cookie_is_taken_once_and_again_when_it_is_refused(
    world: Sandbox,
) -> None:
    environment = {**world.environment, "CALLHOUSE__SOURCES__EVOVOICE__LOGIN": "cookie"}
    sign_in = "/evovoice/auth/credentials"
    before = asked_of(world, sign_in)
    control(world, "faults", vendor="evovoice", kind="expire_token", after=3)
    reading = read(environment, "evovoice", days("evovoice", *MONDAY))
    since, until = (read_time(end, "UTC") for end in MONDAY)
    assert reading.ids >= truth(world, "evovoice", since, until)
    assert reading.states == {"complete"}
    assert asked_of(world, sign_in) - before == 2


def test_a_wrong_evovoice_password_is_told_with_a_cookie_too(sandbox: Sandbox) -> None:
    wrong: dict[str, Any] = {"login": "cookie", "password": "canary-wrong"}
    windows = days("evovoice", *MONDAY)
    reading = read(dict(sandbox.environment), "evovoice", windows, **wrong)
    assert len(reading.ledger) == 1, "nobody asks on with a wrong credential"
    assert "check the credentials" in reading.ledger[0]["error"]
    assert "canary" not in reading.ledger[0]["error"]


def test_what_an_evovoice_account_pays_by_the_month_stands_beside_its_calls(
    tmp_path: Path, scripted: ScriptedVendor
) -> None:
    prices = {
        "base": {"baseCost": 49.0},
        "inboundVoiceCalls": {"baseCost": 3, "unitCost": 0.02, "allowance": 5},
        "outboundVoiceCalls": {"unitCost": 0.03, "rawUnitMultiplier": 2},
    }
    sessions: list[Row] = [
        {
            "id": f"e{number}",
            "accountId": "a-1",
            "channel": "Voice",
            "direction": direction,
            "dateCreated": f"2026-03-01T1{number}:00:00Z",
            "dateCompleted": f"2026-03-01T1{number}:04:00Z",
            "ended": True,
        }
        for number, direction in enumerate(["Incoming", "Incoming", "Outgoing"])
    ]

    def answer(path: str, body: bytes) -> Answer:
        if path.startswith("/accounts/"):
            return said(id="a-1", billingSettings=prices)
        found = [] if "StartDate=2026-03-02" in path else sessions
        return listed("evovoice", found)(path, body)

    months = (
        "select month::varchar, item, base_cost, allowance, calls, minutes, "
        "billable_units, usage_cost from monthly_account_usage order by 1, 2"
    )
    base = ("base", Decimal(49), None, None, None, None, None)
    incoming = ("inboundVoiceCalls", Decimal(3), Decimal(5))
    outgoing = ("outboundVoiceCalls", None, Decimal(0))
    used = [
        ("2026-03-01", *base),
        ("2026-03-01", *incoming, 2, 8, 3, Decimal("0.06")),
        ("2026-03-01", *outgoing, 1, 4, 8, Decimal("0.24")),
    ]
    scripted.always = answer
    built = house(tmp_path, scripted_environment(scripted.url))
    assert built.night("evovoice", EVENING).errors == ()
    assert built.query(months) == used
    whole = "select sum(cost_total) from fact_calls"
    assert built.query(whole) == [(Decimal("0.30"),)]
    # A night that computes no call again leaves them as they are.
    assert built.night("evovoice", EVENING + DAY / 24).errors == ()
    assert built.query(months) == used
    built.build(EVENING + 31 * DAY)
    assert built.query(months)[3:] == [
        ("2026-04-01", *base),
        ("2026-04-01", *incoming, 0, 0, 0, 0),
        ("2026-04-01", *outgoing, 0, 0, 0, 0),
    ]


def test_an_empty_evovoice_page_is_the_last_though_more_are_promised(
    scripted: ScriptedVendor,
) -> None:
    scripted.always = lambda *_: listing("evovoice", [], hasMorePages=True)
    windows = day_windows("sessions", *FIRST)
    reading = read(scripted_environment(scripted.url), "evovoice", windows)
    assert [(row["state"], row["requests"]) for row in reading.ledger] == [
        ("complete", 1)
    ]
    short = listing("evovoice", [], hasMorePages=True, totalCount=3)
    scripted.always = lambda *_: short
    reading = read(scripted_environment(scripted.url), "evovoice", windows)
    assert reading.states == {"partial"}


def test_what_evovoice_logged_of_a_session_is_in_no_published_table(
    tmp_path: Path, scripted: ScriptedVendor
) -> None:
    canary = "a word that a caller said"
    session = {
        "id": "e1",
        "accountId": "a-1",
        "channel": "Voice",
        "direction": "Incoming",
        "fromAddress": "+15550100102",
        "toAddress": "+15550100101",
        "dateCreated": "2026-03-01T10:00:00Z",
        "dateCompleted": "2026-03-01T10:01:00Z",
        "ended": True,
        "log": [{"text": canary}],
        "consoleData": {"notes": canary},
    }
    scripted.always = listed("evovoice", [session])
    built = house(tmp_path, scripted_environment(scripted.url))
    assert built.night("evovoice", EVENING).errors == ()
    assert found(built, "e1") >= {"fact_calls"}
    assert found(built, canary) == set()


def test_evovoice_chats_and_faxes_are_kept_and_are_no_calls(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    start = {"CALLHOUSE__START": "2026-11-15"}
    built = house(tmp_path, dict(sandbox.environment), **start)
    assert built.night("evovoice", NOW).errors == ()
    channels = dict(
        built.raw(
            "evovoice",
            "select payload ->> 'channel', count(distinct record_id) from raw.sessions "
            "group by 1",
        )
    )
    assert channels.pop("Chat") > 0 < channels.pop("Fax")
    # A channel that nobody knows is no reason to drop a call.
    assert channels["Voice"] > 0
    assert built.query("select count(*) from fact_calls") == [(sum(channels.values()),)]


# TWIN --------------------------------------------------------------------------------


def test_a_date_parameter_that_twin_ignores_stops_the_account(sandbox: Sandbox) -> None:
    wrong: dict[str, Any] = {"date_field_parameter": "dateField"}
    windows = days("twin", *MONDAY)
    reading = read(dict(sandbox.environment), "twin", windows, **wrong)
    states = [(row["stream"], row["state"]) for row in reading.ledger]
    assert states == [("created_calls", "complete"), ("updated_calls", "failed")]
    assert "date-field parameter" in reading.ledger[1]["error"]


def test_a_twin_token_that_ends_in_mid_run_is_taken_again(world: Sandbox) -> None:
    control(world, "token_life", vendor="twin", seconds=0.2)
    slow = {"vendor": "twin", "kind": "slow", "seconds": 0.3, "after": 1}
    control(world, "faults", **slow)
    reading = read(dict(world.environment), "twin", days("twin", *MONDAY))
    assert reading.states == {"complete"}
    assert len(reading.ledger) == 3


def refusing(
    records: list[Row], known: str, most: int = 10_000
) -> Callable[[str, bytes], Answer]:
    """Answer as a TWIN that knows these fields, and no offset beyond ``most``."""

    def answer(path: str, _: bytes) -> Answer:
        if path.startswith("/login"):
            return said(token="t-1")
        form = dict(parse_qsl(urlsplit(path).query))
        names = form["fields"].split(",")
        if strangers := set(names) - set(known.split(",")):
            return Answer(
                b'{"message": "Unknown field %s"}' % min(strangers).encode(), 400
            )
        offset, limit = int(form["offset"]), int(form["limit"])
        if offset + limit > most:
            return Answer(b'{"message": "Result window is too large"}', 400)
        found = [one for one in records if form["from"] < one["createdAt"] < form["to"]]
        page: list[Row] = [
            {name: one[name] for name in names if name in one}
            for one in found[offset : offset + limit]
        ]
        return listing("twin", page, count=min(most, len(found)))

    return answer


def test_fields_that_twin_refuses_are_left_out_and_what_that_loses_is_told(
    scripted: ScriptedVendor,
) -> None:
    scripted.always = refusing(TWIN, twin.FEWER_FIELDS)
    environment = scripted_environment(scripted.url)
    reading = read(environment, "twin", days("twin", *FIRST))
    states = [(row["stream"], row["state"]) for row in reading.ledger]
    assert states == [("created_calls", "complete"), ("updated_calls", "failed")]
    assert reading.ids == {"t1", "t2"}
    assert "no record came with 'updatedAt'" in reading.ledger[1]["error"]
    assert "fields" in reading.ledger[1]["error"]
    refused = [one for one in questions(scripted) if "billedAt,status" in one]
    assert len(refused) == 1, "it is asked for what was refused once only"


def test_fields_that_somebody_chose_are_not_exchanged(
    scripted: ScriptedVendor, sandbox: Sandbox
) -> None:
    scripted.always = refusing(TWIN, twin.FEWER_FIELDS)
    environment = scripted_environment(scripted.url)
    chosen = "callId,createdAt,billedAt"
    reading = read(environment, "twin", days("twin", *FIRST), fields=chosen)
    assert reading.states == {"failed"}
    assert "Unknown field billedAt; check fields" in reading.ledger[0]["error"]
    fewer = read(
        dict(sandbox.environment),
        "twin",
        day_windows("created_calls", *MONDAY),
        fields=twin.FEWER_FIELDS,
    )
    windows = day_windows("created_calls", *MONDAY)
    assert fewer.states == {"complete"}
    assert fewer.ids == read(dict(sandbox.environment), "twin", windows).ids


def test_without_its_date_a_twin_price_stands_for_the_bill_and_is_final_in_time(
    tmp_path: Path, scripted: ScriptedVendor
) -> None:
    scripted.always = refusing(TWIN, twin.FEWER_FIELDS)
    built = house(tmp_path, scripted_environment(scripted.url))
    costs = (
        "select vendor_call_id, cost_total, cost_telephony, cost_status, is_settled "
        "from fact_calls order by 1"
    )
    built.night("twin", EVENING)
    price = (Decimal("21.81"), Decimal(4))
    assert built.query(costs) == [
        ("t1", *price, "pending", False),
        ("t2", None, None, "pending", False),
    ]
    built.build(EVENING + 8 * DAY)
    assert built.query(costs) == [
        ("t1", *price, "final", True),
        ("t2", None, None, "none", True),
    ]


@pytest.mark.parametrize("most", [10_000, 4_000])
def test_a_twin_list_deeper_than_an_offset_reaches_comes_whole(
    scripted: ScriptedVendor, most: int
) -> None:
    """Its count stops there, and so do offset and limit together."""
    noon = read_time("2026-03-01T12:00:00Z")
    calls = [
        {
            "callId": f"t{number}",
            "createdAt": (noon + timedelta(seconds=number)).isoformat(),
        }
        for number in range(10_500)
    ]

    scripted.always = refusing(calls, twin.FIELDS, most)
    windows = day_windows("created_calls", *FIRST)
    reading = read(scripted_environment(scripted.url), "twin", windows)
    assert reading.states == {"complete"}
    assert len(reading.ids) == 10_500


ERASED = "12025550102"
TWIN = [
    {
        "callId": "t1",
        "number": "12025550101",
        "callingNumber": ERASED,
        "createdAt": "2026-03-01T09:14:58",
        "startedAt": "2026-03-01T09:15:02",
        "finishedAt": "2026-03-01T09:18:07+00:00",
        "updatedAt": "2026-03-01T09:18:41+00:00",
        "billedAt": "2026-03-01T09:18:40+00:00",
        "status": "ANSWERED",
        "duration": 185,
        "mainCallDuration": 185,
        "mainCallTotalCost": 4.00,
        "totalCost": 21.81,
        "depersonalized": False,
    },
    {
        "callId": "t2",
        "number": "12025550101",
        "callingNumber": "12025550103",
        "createdAt": "2026-03-01T10:00:00+03:00",
        "startedAt": "2026-03-01T10:00:01+03:00",
        "status": "ANSWERED",
        "duration": 61,
        "totalCost": 0,
        "mainCallTotalCost": 0,
        "depersonalized": False,
    },
]


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give two nights of TWIN; in the second a call has been depersonalised."""
    with scripted_house(tmp_path_factory, "twin") as (vendor, built):
        vendor.always = listed("twin", TWIN)
        assert built.night("twin", EVENING).errors == ()
        assert found(built, ERASED) == {"fact_calls", "fact_call_legs"}
        # Some vendors flag first and wipe later: the flag alone must do.
        wiped = {**TWIN[0], "depersonalized": True, "messagesAsString": None}
        vendor.always = listed("twin", [wiped, TWIN[1]])
        assert built.night("twin", EVENING + DAY / 24).errors == ()
        yield built


def found(house: House, text: str) -> set[str]:
    """Return the published tables that hold a text anywhere in a row."""
    tables = house.query(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where schema_name in ('main', 'ops')"
    )
    return {
        table.removeprefix("main.")
        for (table,) in tables
        if house.query(f"select 1 from {table} t where t::varchar like '%{text}%'")
    }


def test_what_twin_has_depersonalised_is_blank_wherever_analysts_look(
    billed: House,
) -> None:
    assert found(billed, ERASED) == set()
    assert billed.query(
        "select is_erased, customer_number, cost_total, total_seconds from fact_calls "
        "where vendor_call_id = 't1'"
    ) == [(True, None, Decimal("21.81"), Decimal(185))]
    assert found(billed, "12025550103") == {"fact_calls"}, "the other call keeps its"
    versions = payloads(billed, "twin", "calls", "t1")
    assert [ERASED in payload for payload in versions] == [False, False]
    assert '"totalCost":21.81,' in versions[0], "what it cost is history as it came"
    changes = "select field, old, new from ops.call_changes where call_key like '%t1'"
    assert billed.query(changes) == [("depersonalized", "false", "true")]


def payloads(house: House, vendor: str, table: str, record: str) -> list[str]:
    """Return the stored versions of a record, oldest first."""
    rows = house.raw(
        vendor,
        f"select payload from raw.{table} where record_id = '{record}' "
        "and payload is not null order by fetched_at",
    )
    return [payload for (payload,) in rows]


def test_many_large_calls_that_twin_erases_at_once_are_erased_in_every_version(
    tmp_path: Path, scripted: ScriptedVendor
) -> None:
    """One load then replaces far more than what came."""
    built = house(tmp_path, scripted_environment(scripted.url))

    def calls(number: int, *, erased: bool) -> list[Row]:
        at = f"2026-03-01T09:{20 + number}:00+00:00"
        text = None if erased else f"{ERASED} {number} " + "x" * 1_000_000
        changed = {"updatedAt": at, "messagesAsString": text, "depersonalized": erased}
        return [{**TWIN[0], **changed, "callId": f"c{one}"} for one in range(40)]

    for number in range(5):
        scripted.always = listed("twin", calls(number, erased=number == 4))
        assert built.night("twin", EVENING + number * DAY / 24).errors == ()
    versions = payloads(built, "twin", "calls", "c7")
    assert len(versions) == 5
    assert not any(ERASED in one for one in versions)


def test_a_twin_call_that_lost_its_times_with_its_number_is_erased_for_good(
    tmp_path: Path, scripted: ScriptedVendor
) -> None:
    """It is shown in one list of changes only, five days later."""
    built = house(tmp_path, scripted_environment(scripted.url))
    scripted.always = listed("twin", TWIN)
    assert built.night("twin", EVENING).errors == ()
    later = "2026-03-06T12:00:00+00:00"
    wiped = {**TWIN[0], "depersonalized": True, "callingNumber": None}
    by_stream = {
        "createdAt": (TWIN[1]["createdAt"], [TWIN[1]]),
        "billedAt": (later, []),
        "updatedAt": (later, [{**wiped, "updatedAt": later, "billedAt": None}]),
    }

    def answer(path: str, body: bytes) -> Answer:
        form = dict(parse_qsl(urlsplit(path).query))
        when, records = by_stream.get(form.get("dateField", ""), ("", []))
        is_then = form.get("from", "") < when < form.get("to", "")
        return listed("twin", records if is_then else [])(path, body)

    erased = (
        "select is_erased, customer_number, cost_total, cost_status from fact_calls "
        "where vendor_call_id = 't1'"
    )
    scripted.always = answer
    assert built.night("twin", EVENING + 5 * DAY).errors == ()
    assert built.query(erased)[0][:3] == (True, None, Decimal("21.81"))
    assert found(built, ERASED) == set()
    # A copy of before comes once more, from a list that is behind.
    scripted.always = listed("twin", [{**TWIN[0], "updatedAt": later}])
    built.night("twin", EVENING + 5 * DAY + DAY / 24)
    assert built.query(erased)[0][:2] == (True, None)
    assert found(built, ERASED) == set()
    assert not any(ERASED in one for one in payloads(built, "twin", "calls", "t1"))
    held = len(payloads(built, "twin", "calls", "t1"))
    built.night("twin", EVENING + 5 * DAY + DAY / 12)
    assert len(payloads(built, "twin", "calls", "t1")) == held, "no new version of it"


def test_a_copy_without_a_time_of_change_is_as_new_as_when_it_came(
    scripted: ScriptedVendor,
) -> None:
    wiped = {**TWIN[0], "updatedAt": None, "depersonalized": True}
    scripted.always = listed("twin", [TWIN[0], wiped])
    windows = day_windows("created_calls", *FIRST)
    reading = read(scripted_environment(scripted.url), "twin", windows)
    assert [json.loads(row["payload"]) for row in reading.records] == [wiped]


def test_a_twin_token_may_have_another_name_and_companies_are_asked_for_one_by_one(
    scripted: ScriptedVendor,
) -> None:
    scripted.answers = [said(authToken="t-2"), listing("twin", [])]
    windows = day_windows("created_calls", *FIRST)
    environment = scripted_environment(scripted.url)
    reading = read(environment, "twin", windows, company_ids="17, 18")
    assert reading.states == {"complete"}
    assert scripted.got[1][2]["authorization"] == "Bearer t-2"
    asked = parse_qsl(urlsplit(scripted.got[1][1]).query)
    assert [value for name, value in asked if name == "companyIds[]"] == ["17", "18"]


def test_a_twin_call_that_is_not_billed_costs_nothing_known_rather_than_zero(
    billed: House,
) -> None:
    assert billed.query(
        "select vendor_call_id, cost_total, currency, cost_unallocated, cost_status "
        "from fact_calls order by 1"
    ) == [
        ("t1", Decimal("21.81"), "RUB", Decimal("17.81"), "final"),
        ("t2", None, None, None, "pending"),
    ]


def test_a_twin_call_that_is_never_billed_settles_and_a_later_bill_still_counts(
    tmp_path: Path, scripted: ScriptedVendor
) -> None:
    built = house(tmp_path, scripted_environment(scripted.url))
    unbilled = {**TWIN[1], "updatedAt": "2026-03-01T08:00:00", "billedAt": None}
    scripted.always = listed("twin", [unbilled])
    built.night("twin", EVENING)
    costs = "select cost_total, cost_status, is_settled from fact_calls"
    assert built.query(costs) == [(None, "pending", False)]
    built.build(EVENING + 8 * DAY)
    assert built.query(costs) == [(None, "none", True)]
    bill = {"billedAt": "2026-03-09T08:00:00", "totalCost": 5, "mainCallTotalCost": 5}
    calls = [{**unbilled, **bill}]

    def answer(path: str, body: bytes) -> Answer:
        is_bill = "dateField=billedAt" in path and "from=2026-03-08T23" in path
        return listed("twin", calls if is_bill else [])(path, body)

    scripted.always = answer
    built.night("twin", EVENING + 9 * DAY)
    assert built.query(costs) == [(Decimal(5), "final", True)]


def test_a_twin_time_without_a_zone_is_utc_and_one_with_a_zone_is_its_own(
    billed: House,
) -> None:
    assert billed.query(
        "select started_at from fact_calls order by vendor_call_id"
    ) == [
        (read_time("2026-03-01T09:15:02Z"),),
        (read_time("2026-03-01T07:00:01Z"),),
    ]


# Whippy ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (408, {}),
        (422, {"errors": [{"description": "Search query timed out"}]}),
        (500, {"error": "statement timeout"}),
        (504, {}),
    ],
)
def test_a_whippy_search_that_takes_too_long_is_halved(
    world: Sandbox, status: int, words: Row
) -> None:
    fault = {"vendor": "whippy", "kind": "status", "status": status, "body": words}
    control(world, "faults", **fault, times=2)
    reading = read(dict(world.environment), "whippy", days("whippy", *MONDAY))
    since, until = (read_time(end, "UTC") for end in MONDAY)
    assert reading.states == {"complete"}
    assert reading.ids >= truth(world, "whippy", since, until)


def test_a_whippy_page_that_was_capped_is_not_the_last(sandbox: Sandbox) -> None:
    windows = days("whippy", *MONDAY)
    reading = read(dict(sandbox.environment), "whippy", windows, page_size=500)
    since, until = (read_time(end, "UTC") for end in MONDAY)
    assert len(truth(sandbox, "whippy", since, until)) > 100
    assert reading.ids >= truth(sandbox, "whippy", since, until)


def whippy_history(
    seconds: int, counts: int = 9999, lists: int = 9999, reaches: int = 9999
) -> Callable[[str, bytes], Answer]:
    """Answer as a Whippy that counts, lists or lets itself be asked for so many."""
    start = read_time("2026-03-01T00:00:00Z")
    calls = [
        {"id": f"w{n}", "created_at": stamp(start + timedelta(seconds=n * seconds))}
        for n in range(86_400 // seconds)
    ]

    def answer(path: str, body: bytes) -> Answer:
        form, bounds = dict(parse_qsl(urlsplit(path).query)), json.loads(body)
        offset, limit = int(form["offset"]), min(100, int(form["limit"]))
        if offset > reaches:
            return Answer(b'{"errors": [{"description": "offset is too large"}]}', 422)
        low, high = bounds["after"], bounds["before"]
        found = [one for one in calls if low < one["created_at"] < high]
        page: list[Row] = [*found[:lists][offset : offset + limit]]
        return said(data=page, total=min(counts, len(found)))

    return answer


@pytest.mark.parametrize(
    "bounds",
    [
        {"counts": 1000},
        {"counts": 850},
        {"counts": 1000, "lists": 1000},
        {"counts": 1000, "reaches": 900},
        {"reaches": 500},
    ],
    ids=str,
)
def test_a_whippy_day_comes_whole_wherever_its_total_or_its_offset_ends(
    scripted: ScriptedVendor, bounds: dict[str, int]
) -> None:
    scripted.always = whippy_history(72, **bounds)
    windows = days("whippy", *FIRST)
    reading = read(scripted_environment(scripted.url), "whippy", windows)
    assert reading.states == {"complete"}
    assert len(reading.ids) == 1200


def test_a_whippy_total_that_is_no_round_number_costs_no_further_request(
    scripted: ScriptedVendor,
) -> None:
    scripted.always = whippy_history(640)
    windows = days("whippy", *FIRST)
    read(scripted_environment(scripted.url), "whippy", windows)
    assert len(scripted.got) == 2, "135 calls have two pages"


def test_a_whippy_list_without_a_total_is_read_until_an_empty_page(
    scripted: ScriptedVendor,
) -> None:
    pages = [[1, 2], [3], []]
    scripted.answers = [
        said(data=[{"id": f"w{n}", "created_at": "2026-03-01T10:00:00"} for n in page])
        for page in pages
    ]
    windows = days("whippy", *FIRST)
    reading = read(scripted_environment(scripted.url), "whippy", windows)
    assert reading.ids == {"w1", "w2", "w3"}
    assert reading.ledger[0]["vendor_total"] is None


def test_a_whippy_search_may_take_as_long_as_it_was_told(
    scripted: ScriptedVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendor must be the first to give up, or its own error never arrives."""
    told: list[float] = []

    def noted(
        vendor: str,
        base_url: str,
        auth: Auth,
        *,
        requests_per_second: float,
        classify_error: ClassifyError,
        read_seconds: float,
        **_: object,
    ) -> Client:
        told.append(read_seconds)
        pace = requests_per_second
        return Client(
            vendor,
            base_url,
            auth,
            requests_per_second=pace,
            classify_error=classify_error,
        )

    monkeypatch.setattr(extract_source, "Client", noted)
    scripted.always = listed("whippy", [])
    read(scripted_environment(scripted.url), "whippy", days("whippy", *FIRST))
    asked = dict(parse_qsl(questions(scripted)[0].partition("{")[0]))
    (patience,) = told
    assert patience > int(asked["timeout"]) / 1000


RATE_CARD = """
[[rate_card]]
vendor = "whippy"
account = "main"
direction = "inbound"
component = "telephony"
unit = "minute"
increment = 60
unit_price = 0.03
currency = "USD"
valid_from = 2026-01-01
"""


def whippy_call(number: int, **fields: object) -> Row:
    return {
        "id": f"w{number}",
        "direction": "INBOUND",
        "delivery_status": "call_completed",
        "from": "+12025550101",
        "to": "+12025550100",
        "created_at": "2026-03-01T17:25:19.094338Z",
        "updated_at": "2026-03-01T17:27:31.339575Z",
        "duration": 96_240,
        **fields,
    }


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a night of Whippy with a rate card for inbound calls."""
    with scripted_house(tmp_path_factory, "whippy") as (vendor, built):
        (built.folder / "rate_cards.toml").write_text(RATE_CARD)
        calls = [
            whippy_call(1, agent_id="5b1c0000-0000-4000-8000-000000000001"),
            whippy_call(2, direction="OUTBOUND", agent_id=None, user_id=7),
            whippy_call(3, direction="OUTBOUND", call_cost={"combined_cost": 70}),
            whippy_call(4, created_at="2026-03-01T17:25:19", duration=None),
            whippy_call(5, direction="OUTBOUND", totalPrice=None, price="", cost=0.07),
            whippy_call(
                6, direction="OUTBOUND", metadata={"unit_cost": 7, "duration": 96_240}
            ),
        ]
        vendor.always = listed("whippy", calls)
        assert built.night("whippy", EVENING).errors == ()
        yield built


def test_a_whippy_duration_is_milliseconds_and_its_price_a_rate_cards(
    rated: House,
) -> None:
    facts = (
        "select vendor_call_id, total_seconds, cost_total, currency, cost_source, "
        "is_bot_handled from fact_calls order by 1"
    )
    assert rated.query(facts) == [
        ("w1", Decimal("96.240"), Decimal("0.06"), "USD", "rated", True),
        ("w2", Decimal("96.240"), None, None, "none", False),
        ("w3", Decimal("96.240"), None, None, "none", None),
        ("w4", None, None, None, "none", None),
        ("w5", Decimal("96.240"), None, None, "none", None),
        ("w6", Decimal("96.240"), None, None, "none", None),
    ]


def test_a_rate_card_is_one_accounts_own(
    tmp_path: Path, scripted: ScriptedVendor
) -> None:
    key = "CALLHOUSE__SOURCES__WHIPPY__ACCOUNTS__SECOND__API_KEY"
    both = {**scripted_environment(scripted.url), key: "a-2"}
    built = house(tmp_path, both)
    second = RATE_CARD.replace('"main"', '"second"').replace("0.03", "0.05")
    (tmp_path / "rate_cards.toml").write_text(RATE_CARD + second)
    scripted.always = listed("whippy", [whippy_call(1)])
    assert built.night("whippy", EVENING).errors == ()
    costs = "select account, cost_total from fact_calls order by 1"
    assert built.query(costs) == [
        ("main", Decimal("0.06")),
        ("second", Decimal("0.10")),
    ]


def test_a_price_that_whippy_was_not_known_to_send_is_reported(rated: House) -> None:
    assert unknown(rated) == {
        ("call_cost", "no scalar"),
        ("cost", "0.07"),
        ("metadata.unit_cost", "7"),
    }


def test_a_whippy_time_without_a_zone_is_utc(rated: House) -> None:
    started = "select started_at from fact_calls where vendor_call_id = 'w4'"
    assert rated.query(started) == [(read_time("2026-03-01T17:25:19Z"),)]
