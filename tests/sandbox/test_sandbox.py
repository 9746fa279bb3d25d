"""The sandbox, spoken to over HTTP by a client written from the vendors' documents."""

import base64
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import jwt
import pytest
import requests
from patience import PATIENCE

NOW = "2026-03-24T03:00:00+00:00"
DAY = "2026-03-19"
NEXT_DAY = "2026-03-20"
MOST_PAGES = 200
"""Far more than any list here has."""
VENDORS = ("zoom", "voximplant", "evovoice", "twin", "whippy")
JSON = {"Accept": "application/json"}
TWIN_FIELDS = (
    "callId,createdAt,startedAt,finishedAt,updatedAt,billedAt,duration,totalCost,"
    "mainCallTotalCost,autoCallTotalCost,robotCallTotalCost,transferCallTotalCost,"
    "aiCallTotalCost,aiCallLlmTotalCost,aiCallTtsTotalCost,aiCallSttTotalCost,status,"
    "mainCallDuration,autoCallDuration,robotCallDuration,transferCallDuration,"
    "aiCallDuration"
)


Value = str | int | list[str]


@dataclass(frozen=True)
class Call:
    """What the client makes of one record; compared with the truth as it stands."""

    event_at: datetime
    seconds: Decimal | None
    cost: Decimal | None
    direction: str
    outcome: str | None
    legs: int


@dataclass
class Client:
    """A careful reader of the five vendors."""

    url: str
    environment: dict[str, str]
    http: requests.Session
    zoom_token: str = ""
    twin_token: str = ""

    def of(self, vendor: str, key: str, alias: str | None = "MAIN") -> str:
        account = f"ACCOUNTS__{alias}__" if alias else ""
        return self.environment[f"CALLHOUSE__SOURCES__{vendor}__{account}{key}"]

    def control(
        self, method: str, name: str, sent: dict[str, object] | None = None
    ) -> dict[str, Any]:
        url = f"{self.url}/_sandbox/{name}"
        return _json(self.http.request(method, url, json=sent))

    def set_clock(self, now: str) -> None:
        self.control("POST", "clock", {"now": now})

    def arm(self, vendor: str, kind: str, **more: object) -> None:
        self.control("POST", "faults", {"vendor": vendor, "kind": kind, **more})

    def truth(self, vendor: str, since: str, until: str) -> list[dict[str, Any]]:
        asked = {"vendor": vendor, "since": since, "until": until}
        response = self.http.get(f"{self.url}/_sandbox/truth", params=asked)
        rows: list[dict[str, Any]] = response.json()
        return rows

    def sign_in_zoom(self, alias: str = "MAIN", **changes: str) -> requests.Response:
        keys = ("CLIENT_ID", "CLIENT_SECRET", "ACCOUNT_ID")
        user, secret, account = (self.of("ZOOM", key, alias) for key in keys)
        form = {"grant_type": "account_credentials", "account_id": account} | changes
        response = self.http.post(
            self.of("ZOOM", "TOKEN_URL", None), data=form, auth=(user, secret)
        )
        self.zoom_token = response.json().get("access_token", "")
        return response

    def zoom(self, **params: Value) -> requests.Response:
        if not self.zoom_token:
            self.sign_in_zoom()
        return self.http.get(
            self.of("ZOOM", "BASE_URL", None) + "/contact_center/voice_calls",
            params=params,
            headers={"Authorization": f"Bearer {self.zoom_token}"},
        )

    def zoom_pages(self, **params: Value) -> list[dict[str, Any]]:
        records, token = [], ""
        for _ in range(MOST_PAGES):
            page = _json(self.zoom(**params, page_size=100, next_page_token=token))
            records += page["voice_calls"]
            token = page["next_page_token"]
            if not token:
                assert len(records) == page["total_records"]
                return records
        pytest.fail("pages without end")

    def voximplant_token(self, alias: str = "MAIN", **changes: object) -> str:
        now = int(time.time())
        account = self.of("VOXIMPLANT", "ACCOUNT_ID", alias)
        claims: dict[str, object] = {
            "iss": account,
            "iat": now - 5,
            "exp": now + 600,
        } | changes
        key = self.of("VOXIMPLANT", "PRIVATE_KEY", alias)
        kid = self.of("VOXIMPLANT", "KEY_ID", alias)
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})

    def voximplant(
        self, command: str = "GetCallHistory", token: str = "", **form: Value
    ) -> dict[str, Any]:
        token = token or self.voximplant_token()
        response = self.http.post(
            f"{self.of('VOXIMPLANT', 'BASE_URL', None)}/{command}",
            data=form,
            headers={"Authorization": f"Bearer {token}"},
        )
        return _json(response)

    def evovoice(self, path: str = "/sessions", **params: Value) -> requests.Response:
        keys = ("USERNAME", "PASSWORD")
        user, password = (self.of("EVOVOICE", key) for key in keys)
        return self.http.get(
            self.of("EVOVOICE", "BASE_URL", None) + path,
            params=params,
            headers=JSON,
            auth=(user, password),
        )

    def evovoice_days(self, first: str, last: str) -> list[dict[str, Any]]:
        asked: dict[str, Any] = {
            "AccountIds": self.of("EVOVOICE", "ACCOUNT_IDS"),
            "startDate": first,
            "endDate": last,
            "CountPerPage": 500,
            "sortField": "DateCreated",
        }
        records: dict[str, dict[str, Any]] = {}
        for archive in ("false", "true"):
            for page in range(MOST_PAGES):
                body = _json(self.evovoice(**asked, page=page, searchArchive=archive))
                records |= {record["id"]: record for record in body["items"]}
                if not body["hasMorePages"]:
                    break
            else:
                pytest.fail("pages without end")
        return list(records.values())

    def twin(self, **params: Value) -> requests.Response:
        if not self.twin_token:
            login = {"email": self.of("TWIN", "EMAIL"), "ttl": 3600}
            login["password"] = self.of("TWIN", "PASSWORD")
            url = self.of("TWIN", "LOGIN_URL", None)
            self.twin_token = _json(self.http.post(url, json=login))["token"]
        return self.http.get(
            self.of("TWIN", "BASE_URL", None) + self.of("TWIN", "PATH", None),
            params=params,
            headers={"Authorization": f"Bearer {self.twin_token}"},
        )

    def whippy(
        self, key: str = "", body: dict[str, str] | None = None, **sent: int
    ) -> requests.Response:
        return self.http.post(
            self.of("WHIPPY", "BASE_URL", None) + self.of("WHIPPY", "PATH", None),
            params=sent,
            json=body or {},
            headers={"X-WHIPPY-KEY": key or self.of("WHIPPY", "API_KEY")},
        )


def _json(response: requests.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    body: dict[str, Any] = json.loads(response.text, parse_float=Decimal)
    return body


def _started(*options: str) -> tuple[subprocess.Popen[str], Client]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.sandbox", "--stop-with-stdin", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    return process, Client(said["url"], said["environment"], requests.Session())


def _stopped(process: subprocess.Popen[str], client: Client) -> int:
    client.http.close()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    return process.wait(PATIENCE)


@pytest.fixture(scope="module")
def shared() -> Iterator[Client]:
    process, client = _started("--now", NOW, "--seed", "7", "--accounts", "2")
    yield client
    _stopped(process, client)


@pytest.fixture
def client(shared: Client) -> Iterator[Client]:
    yield shared
    shared.set_clock(NOW)
    shared.control("DELETE", "faults")
    shared.control("POST", "token_life", {"vendor": "zoom", "seconds": 3600})
    shared.zoom_token = shared.twin_token = ""


# --- what a careful client reads of one day is the truth ------------------------------


def _zoom_calls(client: Client) -> dict[str, Call]:
    window = {"from": f"{DAY}T00:00:00+00:00", "to": f"{NEXT_DAY}T00:00:00+00:00"}
    calls = {}
    for record in client.zoom_pages(**window, view_type="detail"):
        legs = [leg.get("charge") for leg in record["voice_call_details"]]
        whole = [one for one in [record.get("charge")] if one not in {None, "", "-"}]
        charges = whole or [charge for charge in legs if charge]
        seconds = record.get("total_duration")
        inside = all(kind.startswith("internal_") for kind in record["types"])
        calls[record["engagement_id"]] = Call(
            datetime.fromisoformat(record["start_time"]),
            None if seconds is None else Decimal(seconds),
            sum(map(_dollars, charges), Decimal(0)) if charges else None,
            "internal" if inside else record["direction"],
            record["result"],
            len(record["voice_call_details"]),
        )
    return calls


def _dollars(text: str) -> Decimal:
    return Decimal(text.replace("$", "").replace(",", ""))


def _voximplant_calls(client: Client) -> dict[str, Call]:
    calls: dict[str, Call] = {}
    asked: dict[str, Any] = {
        "from_date": f"{DAY} 00:00:00",
        "to_date": f"{NEXT_DAY} 00:00:00",
        "timezone": "Etc/GMT",
        "with_calls": "true",
        "with_records": "true",
        "count": 50,
    }
    for _ in range(MOST_PAGES):
        page = client.voximplant(**asked, offset=len(calls))
        for record in page["result"]:
            calls[str(record["call_session_history_id"])] = _session(record)
        if page["count"] < asked["count"]:
            assert len(calls) == page["total_count"]
            return calls
    pytest.fail("pages without end")


def _session(record: dict[str, Any]) -> Call:
    lines = [*record["calls"], *record["records"], *record["other_resource_usage"]]
    charges: dict[object, Decimal] = {}
    for place, line in enumerate(lines):
        if line["cost"] is not None:
            key = line["transaction_id"] or f"free {place}"
            charges.setdefault(key, Decimal(str(line["cost"])))
    legs = sorted(record["calls"], key=lambda leg: (leg["start_time"], leg["call_id"]))
    seconds = record["duration"]
    return Call(
        datetime.fromisoformat(record["start_date"]).replace(tzinfo=UTC),
        None if seconds is None else Decimal(seconds),
        sum(charges.values(), Decimal(0)) if charges else None,
        _direction(legs),
        record["finish_reason"],
        len(legs),
    )


def _direction(legs: list[dict[str, Any]]) -> str:
    """Return whose call it is: a user's leg is an agent's, whichever way it goes."""
    if not legs:
        return "unknown"
    users = [leg["remote_number_type"] == "user" for leg in legs]
    if len(legs) > 1 and all(users):
        return "internal"
    return "inbound" if legs[0]["incoming"] and not users[0] else "outbound"


def _moment(text: str) -> datetime:
    if text.startswith("/Date("):
        millis = int(text[6:].removesuffix(")/").removesuffix("+0000"))
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=millis)
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _evovoice_calls(client: Client) -> dict[str, Call]:
    month = client.evovoice_days(f"{DAY[:8]}01", "2026-03-24")
    voice = [record for record in month if record["channel"] == "Voice"]
    assert len(voice) < len(month)
    voice.sort(key=lambda record: (_moment(record["dateCreated"]), record["id"]))
    used: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    calls = {}
    for record in voice:
        created = _moment(record["dateCreated"])
        done = record.get("dateCompleted")
        lasted = _moment(done) - created if done else None
        incoming = record["direction"] == "Incoming"
        item = "inboundVoiceCalls" if incoming else "outboundVoiceCalls"
        owner, items = _prices(client, record)
        settings = items.get(item)
        cost = None
        if record["ended"] and settings:
            minutes = _paid_minutes(record, created, lasted)
            key = (owner, item)
            before = _charge(settings, used[key])
            used[key] += minutes * (settings.get("rawUnitMultiplier") or 1)
            cost = _charge(settings, used[key]) - before
        calls[record["id"]] = Call(
            created,
            None if lasted is None else Decimal(lasted // MILLI) / 1000,
            cost,
            "internal"
            if record["toAddress"].startswith("client:")
            else "inbound"
            if incoming
            else "outbound",
            record.get("outcome"),
            len(record["members"]),
        )
    return {i: c for i, c in calls.items() if c.event_at.date().isoformat() == DAY}


MINUTE, MILLI = timedelta(minutes=1), timedelta(milliseconds=1)
LOGGED = {"Call", "Ringing", "Queued", "Answered", "Placed", "Resumed"}
NOBODY = {"Abandoned", "Busy", "Canceled", "Declined", "Failed", "Missed"}
NOBODY |= {"No Answer", "Rejected"}


def _paid_minutes(
    record: dict[str, Any], created: datetime, lasted: timedelta | None
) -> int:
    """Return the begun minutes; of a call out from its answer on, if there was one."""
    if record["wasMissed"] or not lasted:
        return 0
    if record["direction"] == "Incoming":
        return -(-lasted // MINUTE)
    words = {line["message"].split()[0] for line in record["log"]}
    times = [
        _moment(line["date"])
        for line in record["log"]
        if words <= LOGGED and line["message"].startswith("Answered")
    ]
    if not times and "answeredById" not in record and record["outcome"] in NOBODY:
        return 0
    rang = min(min(times) - created, lasted) if times else timedelta(0)
    return -(-(lasted - rang) // MINUTE)


_known: dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]] = {}


def _prices(client: Client, record: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return whose prices a session is rated by, and what they are."""
    account, own = _settings(client, record["accountId"])
    above = [one["id"] for one in record.get("customerBreadcrumb", ())]
    for one in (record["customerId"], *reversed(above)):
        if one in own and not account["isBYOA"]:
            return one, own[one]
    return record["accountId"], {} if account["isBYOA"] else account["billingSettings"]


def _settings(client: Client, account: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an account, and the price lists of the customers that have their own."""
    key = (client.url, account)
    if key not in _known:
        found = _json(client.evovoice(f"/accounts/{account}"))
        listed = _json(client.evovoice("/customers", AccountIds=account))["items"]
        own = {
            one["id"]: one["billingSettings"]
            for one in listed
            if one["overrideBillingSettings"]
        }
        _known[key] = (found, own)
    return _known[key]


def _charge(settings: dict[str, Any], units: Decimal) -> Decimal:
    over: Decimal = max(Decimal(0), units - settings["allowance"])
    cost: Decimal = over * settings["unitCost"]
    return cost


def _twin_calls(client: Client) -> dict[str, Call]:
    calls: dict[str, Call] = {}
    for _ in range(MOST_PAGES):
        page = _json(
            client.twin(
                **{"from": "2026-03-18T23:59:59+00:00"},
                to=f"{NEXT_DAY}T00:00:00+00:00",
                fields=TWIN_FIELDS,
                limit=50,
                offset=len(calls),
                sort="+startedAt",
            )
        )
        for record in page["items"]:
            calls[record["callId"]] = _twin_call(record)
        if len(page["items"]) < 50:
            assert len(calls) == page["count"]
            return calls
    pytest.fail("pages without end")


def _twin_call(record: dict[str, Any]) -> Call:
    stages = ("main", "auto", "robot", "transfer", "ai")
    billed = record["billedAt"] is not None
    seconds = record["duration"]
    return Call(
        datetime.fromisoformat(record["createdAt"]),
        None if seconds is None else Decimal(seconds),
        Decimal(str(record["totalCost"])) if billed else None,
        "inbound",
        record["status"],
        sum(bool(record[f"{stage}CallDuration"]) for stage in stages),
    )


def _whippy_calls(client: Client) -> dict[str, Call]:
    window = {"after": "2026-03-18T23:59:59.999999Z", "before": f"{NEXT_DAY}T00:00:00Z"}
    calls: dict[str, Call] = {}
    for _ in range(MOST_PAGES):
        page = _json(client.whippy(limit=100, offset=len(calls), body=window))
        for record in page["data"]:
            millis = record["duration"]
            calls[record["id"]] = Call(
                datetime.fromisoformat(record["created_at"]).replace(tzinfo=UTC),
                None if millis is None else Decimal(millis) / 1000,
                None,
                record["direction"].lower(),
                record["delivery_status"],
                0,
            )
        if not page["data"]:
            assert len(calls) == page["total"]
            return calls
    pytest.fail("pages without end")


READERS = {
    "zoom": _zoom_calls,
    "voximplant": _voximplant_calls,
    "evovoice": _evovoice_calls,
    "twin": _twin_calls,
    "whippy": _whippy_calls,
}


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


@pytest.mark.parametrize("now", [NOW, "2026-03-19T16:00:00+00:00"])
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_careful_client_reads_exactly_the_truth(
    client: Client, vendor: str, now: str
) -> None:
    client.set_clock(now)
    read = READERS[vendor](client)
    rows = client.truth(vendor, DAY, NEXT_DAY)
    truth = {
        row["vendor_call_id"]: Call(
            datetime.fromisoformat(row["event_at"]),
            _decimal(row["total_seconds"]),
            _decimal(row["cost"]),
            row["direction"],
            row["vendor_outcome"],
            len(row["legs"]),
        )
        for row in rows
        if row["account"] == "main"
    }
    next_day = datetime.fromisoformat(f"{NEXT_DAY}T00:00:00+00:00")
    inside = {key: call for key, call in read.items() if call.event_at < next_day}
    assert inside == truth
    assert len(truth) > 20
    assert vendor == "whippy" or any(call.cost for call in truth.values())


@pytest.mark.parametrize("vendor", VENDORS)
def test_leaf_lines_add_up_to_the_cost(client: Client, vendor: str) -> None:
    rows = client.truth(vendor, "2026-03-01", "2026-03-20")
    assert {row["account"] for row in rows} == {"main", "second"}
    odd = 0
    for row in rows:
        parts = sum((Decimal(line["amount"]) for line in row["lines"]), Decimal(0))
        if row["cost"] is None:
            assert (row["lines"], row["currency"]) == ([], None)
        else:
            odd += parts != Decimal(row["cost"])
    assert (odd == 0) == (vendor != "twin")
    assert odd < len(rows) / 20


# --- authentication -------------------------------------------------------------------


def test_zoom_gives_tokens_to_its_client_only_and_asks_for_them(
    client: Client,
) -> None:
    assert client.sign_in_zoom(account_id="another").json()["error"] == (
        "invalid_request"
    )
    assert client.sign_in_zoom(grant_type="password").json()["error"] == (
        "unsupported_grant_type"
    )
    wrong = client.http.post(
        client.of("ZOOM", "TOKEN_URL", None),
        data={"grant_type": "account_credentials"},
        auth=(client.of("ZOOM", "CLIENT_ID"), "wrong"),
    )
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_client")
    client.zoom_token = "made-up"
    assert (client.zoom().status_code, client.zoom().json()["code"]) == (401, 124)


def test_a_zoom_token_lives_as_long_as_it_was_told(client: Client) -> None:
    client.control("POST", "token_life", {"vendor": "zoom", "seconds": 0})
    assert client.sign_in_zoom().json()["expires_in"] == 3600
    assert client.zoom().status_code == 401


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "1000002"}, 100),
        ({"iss": "1000001", "iat": 600}, 100),
        ({"exp": 7200}, 100),
        ({"exp": -1}, 456),
    ],
)
def test_voximplant_checks_every_claim_of_a_token(
    client: Client, changes: dict[str, Any], code: int
) -> None:
    """Times are given in seconds from now."""
    for claim in {"iat", "exp"} & changes.keys():
        changes = {**changes, claim: int(time.time()) + changes[claim]}
    token = client.voximplant_token(**changes)
    assert client.voximplant("GetAccountInfo", token)["error"]["code"] == code


def test_voximplant_checks_the_signature(client: Client) -> None:
    head, claims, _ = client.voximplant_token().split(".")
    _, _, signature = client.voximplant_token("SECOND").split(".")
    answer = client.voximplant("GetAccountInfo", f"{head}.{claims}.{signature}")
    assert answer["error"]["code"] == 100
    assert client.voximplant("GetAccountInfo")["result"]["currency"] == "USD"
    second = client.voximplant_token("SECOND")
    assert client.voximplant("GetAccountInfo", second)["result"]["currency"] == "RUR"


def test_evovoice_wants_a_login_and_sends_browsers_to_the_login_page(
    client: Client,
) -> None:
    url = client.of("EVOVOICE", "BASE_URL", None)
    browser = client.http.get(f"{url}/sessions", allow_redirects=False)
    assert (browser.status_code, browser.headers["Location"][:15]) == (
        302,
        "/evovoice/login",
    )
    stranger = client.http.get(f"{url}/sessions", headers=JSON)
    assert stranger.status_code == 401
    assert stranger.json()["responseStatus"]["errorCode"] == "Unauthorized"
    form = {"provider": "credentials", "userName": client.of("EVOVOICE", "USERNAME")}
    form["password"] = client.of("EVOVOICE", "PASSWORD")
    with requests.Session() as known:
        assert known.post(f"{url}/auth/credentials", json=form).status_code == 200
        assert known.get(f"{url}/auth/status", headers=JSON).json()["isAuthenticated"]
        assert "text/html" in known.get(f"{url}/sessions").headers["Content-Type"]
    assert client.evovoice("/accounts/5f8e00000000000000000101").status_code == 403


def test_twin_and_whippy_refuse_strangers(client: Client) -> None:
    url = client.of("TWIN", "LOGIN_URL", None)
    wrong = {"email": client.of("TWIN", "EMAIL"), "password": "wrong", "ttl": 60}
    assert client.http.post(url, json=wrong).status_code == 401
    client.twin_token = "made.up.token"
    assert client.twin().status_code == 401
    refused = client.whippy(key="wrong")
    assert refused.status_code == 401
    assert refused.json() == {
        "errors": [{"description": "Invalid API key"}],
        "status": 401,
    }


# --- the traps the documents name -----------------------------------------------------


def test_zoom_copies_the_offset_of_from_and_reads_a_literal_z_as_utc(
    client: Client,
) -> None:
    west = {"from": f"{DAY}T00:00:00-08:00", "to": f"{DAY}T20:00:00-08:00"}
    literal = {"from": f"{DAY}T08:00:00Z", "to": f"{NEXT_DAY}T04:00:00Z"}
    here, there = client.zoom_pages(**west), client.zoom_pages(**literal)
    starts = {r["engagement_id"]: r["start_time"] for r in here}
    assert starts
    assert all(text.endswith("-08:00") for text in starts.values())
    assert all(r["start_time"].endswith("+00:00") for r in there)
    assert {key: datetime.fromisoformat(text) for key, text in starts.items()} == {
        r["engagement_id"]: datetime.fromisoformat(r["start_time"]) for r in there
    }


def test_zoom_counts_both_bounds_in_and_keeps_no_order(client: Client) -> None:
    day = {"from": f"{DAY}T00:00:00Z", "to": f"{DAY}T23:59:59Z"}
    starts = [record["start_time"] for record in client.zoom_pages(**day)]
    assert starts != sorted(starts)
    first = min(starts)[:19]
    at = client.zoom_pages(**{"from": f"{first}Z", "to": f"{first}Z"})
    assert {record["start_time"][:19] for record in at} == {first}


@pytest.mark.parametrize(
    "params",
    [
        {"from": "2026-02-01T00:00:00Z", "to": "2026-03-05T00:00:00Z"},
        {"from": "2026-03-01T00:00:00Z"},
        {"from": "2026-03-01T00:00:00 00:00", "to": "2026-03-02T00:00:00 00:00"},
        {"from": "2026-03-01T00:00:00Z", "to": "2026-03-02"},
        {"page_size": 101},
        {"next_page_token": "made-up"},
    ],
)
def test_zoom_refuses_with_code_300(client: Client, params: dict[str, Any]) -> None:
    response = client.zoom(**params)
    assert (response.status_code, response.json()["code"]) == (400, 300)


def test_a_zoom_page_token_works_with_its_own_query_only(client: Client) -> None:
    query: dict[str, Any] = {"from": f"{DAY}T00:00:00Z", "page_size": 20}
    query["to"] = f"{NEXT_DAY}T00:00:00Z"
    token = _json(client.zoom(**query))["next_page_token"]
    assert 0 < len(token) <= 100
    other = client.zoom(**(query | {"page_size": 30}), next_page_token=token)
    assert (other.status_code, other.json()["code"]) == (400, 300)
    assert len(_json(client.zoom(**query, next_page_token=token))["voice_calls"]) == 20


def test_voximplant_leaves_parts_out_and_answers_in_gmt_unasked(
    client: Client,
) -> None:
    dates = {"from_date": f"{DAY} 17:00:00", "to_date": f"{DAY} 18:00:00"}
    bare = client.voximplant(**dates)
    assert bare["timezone"] == "Etc/GMT"
    assert bare["count"] == len(bare["result"]) <= 20
    assert not {"calls", "records"} & bare["result"][0].keys()
    assert "other_resource_usage" in bare["result"][0]
    assert "warnings" not in bare
    starts = [record["start_date"] for record in bare["result"]]
    assert starts == sorted(starts)
    assert starts[0] >= f"{DAY} 17:00:00"
    local = {"from_date": f"{DAY} 10:00:00", "to_date": f"{DAY} 11:00:00"}
    same = client.voximplant(**local, timezone="auto")
    assert same["timezone"] == "America/Los_Angeles"
    assert ids_of(same) == ids_of(bare)


def ids_of(answer: dict[str, Any]) -> list[int]:
    return [record["call_session_history_id"] for record in answer["result"]]


def test_voximplant_warns_of_missing_dates_beside_the_rows(client: Client) -> None:
    warnings = {
        name: f"Required '{name}' parameter isn't set."
        for name in ("from_date", "to_date")
    }
    bare = client.voximplant(count=3)
    assert bare["warnings"] == [*warnings.values()]
    assert bare["total_count"] > len(bare["result"]) == 3
    since = client.voximplant(from_date=f"{DAY} 00:00:00")
    assert since["warnings"] == [warnings["to_date"]]
    assert since["result"][0]["start_date"] >= f"{DAY} 00:00:00"


@pytest.mark.parametrize("form", ["urlencoded", "multipart", "chunked"])
def test_voximplant_takes_every_form_and_issuer_that_its_own_clients_send(
    client: Client, form: str
) -> None:
    fields = {"from_date": f"{DAY} 17:00:00", "to_date": f"{DAY} 18:00:00"}
    whole = requests.Request("POST", client.of("VOXIMPLANT", "BASE_URL", None))
    if form == "urlencoded":
        whole.data = fields
    else:
        whole.files = {name: (None, text) for name, text in fields.items()}
    whole.params = {"cmd": "GetCallHistory"}
    issuer = int(client.of("VOXIMPLANT", "ACCOUNT_ID"))
    head, claims, _ = client.voximplant_token().split(".")
    numbered = json.loads(base64.urlsafe_b64decode(f"{claims}===")) | {"iss": issuer}
    signed = jwt.PyJWS().encode(
        json.dumps(numbered).encode(),
        client.of("VOXIMPLANT", "PRIVATE_KEY"),
        "RS256",
        headers=json.loads(base64.urlsafe_b64decode(f"{head}===")),
    )
    sent = whole.prepare()
    sent.headers["Authorization"] = f"Bearer {signed}"
    if form == "chunked":
        body = sent.body
        assert isinstance(body, bytes)
        del sent.headers["Content-Length"]
        sent.headers["Transfer-Encoding"] = "chunked"
        sent.body = iter([body[:7], body[7:]])  # type: ignore[assignment]
    answer = _json(client.http.send(sent))
    assert ids_of(answer) == ids_of(client.voximplant(**fields))


FILTERS: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
    ({"application_id": 3_000_000_042}, lambda _: True),
    ({"application_id": 7}, lambda _: False),
    (
        {"application_name": "ivr.acme.example.com", "rule_name": "api"},
        lambda one: one.get("rule_name") == "api",
    ),
    (
        {"user_id": "2200000001;2200000002"},
        lambda one: one.get("user_id") in {2_200_000_001, 2_200_000_002},
    ),
    (
        {"call_session_history_custom_data": "crm-17"},
        lambda one: one.get("custom_data") == "crm-17",
    ),
    ({"min_duration": 60}, lambda one: one["duration"] >= 60),
    (
        {"min_duration": 1, "max_duration": 2},
        lambda one: 1 <= one["duration"] <= 2,
    ),
    (
        {"remote_number": "agent1;agent2"},
        lambda one: bool({"agent1", "agent2"} & numbers_of(one, "remote_number")),
    ),
    (
        {"remote_number": "agent1", "remote_number_list": '["agent3"]'},
        lambda one: "agent3" in numbers_of(one, "remote_number"),
    ),
    (
        {"remote_number": "agent2", "remote_number_list": "[]"},
        lambda one: "agent2" in numbers_of(one, "remote_number"),
    ),
    ({"local_number": "nobody"}, lambda _: False),
]


def numbers_of(session: dict[str, Any], side: str) -> set[str]:
    return {leg[side] for leg in session["calls"]}


@pytest.mark.parametrize(
    ("asked", "fits"),
    FILTERS,
    ids=lambda one: str(one) if isinstance(one, dict) else "",
)
def test_voximplant_serves_every_filter_that_is_documented(
    client: Client, asked: dict[str, Any], fits: Callable[[dict[str, Any]], bool]
) -> None:
    dates = {"from_date": f"{DAY} 00:00:00", "to_date": f"{NEXT_DAY} 00:00:00"}
    all_of_it: dict[str, Any] = {**dates, "with_calls": "1", "count": 1000}
    every = client.voximplant(**all_of_it)["result"]
    found = client.voximplant(**all_of_it, **asked)["result"]
    assert found == [one for one in every if fits(one)]


def test_voximplant_lists_its_ledger_and_apart_from_it_what_is_reserved(
    client: Client,
) -> None:
    asked: dict[str, Any] = {"from_date": f"{DAY} 00:00:00", "count": 1000}
    asked["to_date"] = f"{DAY} 23:59:59"
    plain = client.voximplant("GetTransactionHistory", **asked)
    assert plain["total_count"] == plain["count"] == len(plain["result"]) > 50
    days = {one["performed_at"][:10] for one in plain["result"]}
    assert days == {DAY}
    assert not any("resource_type" in one for one in plain["result"])
    charges = {one["transaction_id"]: one for one in plain["result"]}
    assert len(charges) == plain["count"]
    assert {one["transaction_type"] for one in charges.values() if one["amount"]} == {
        "resource_charge",
        "phone_number_charge",
    }
    extended = client.voximplant(
        "GetTransactionHistory",
        **asked,
        with_extended_info="true",
        transaction_type="resource_charge",
    )
    assert all(one["resource_type"] for one in extended["result"])
    reserved = client.voximplant("GetTransactionHistory", is_uncommitted="true")
    assert "warnings" not in reserved
    assert not charges.keys() & {one["transaction_id"] for one in reserved["result"]}
    refused = client.voximplant("GetTransactionHistory", **asked, resource_type="ASR")
    assert refused["error"]["code"] == 101


def test_voximplant_lists_a_childs_sessions_only_when_asked(client: Client) -> None:
    asked: dict[str, Any] = {"from_date": "2026-03-10 00:00:00", "count": 1000}
    asked["to_date"] = f"{NEXT_DAY} 00:00:00"
    account = int(client.of("VOXIMPLANT", "ACCOUNT_ID"))
    own = client.voximplant(**asked)["result"]
    children = client.voximplant(**asked, children_calls_only="true")["result"]
    assert {one["account_id"] for one in own} == {account}
    (child,) = {one["account_id"] for one in children}
    assert child != account
    named = client.voximplant(**asked, child_account_id=f"{child};7")["result"]
    assert named == children


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"count": 1001}, 101),
        ({"offset": 10_001}, 101),
        ({"from_date": "2026-03-19T00:00:00"}, 111),
        ({"timezone": "Mars/Olympus"}, 101),
        ({"call_session_history_id": "1,2"}, 101),
        ({"output": "csv"}, 105),
        ({"is_async": "true"}, 101),
        ({"with_calls": "perhaps"}, 101),
        ({"remote_number_list": "agent1"}, 101),
        ({"with_logs": "true"}, 101),
        ({"user_id": "all"}, 101),
    ],
)
def test_voximplant_refuses_inside_a_200(
    client: Client, form: dict[str, Any], code: int
) -> None:
    dates = {"from_date": f"{DAY} 10:00:00", "to_date": f"{DAY} 11:00:00"}
    assert client.voximplant(**(dates | form))["error"]["code"] == code


def test_voximplant_takes_a_command_in_the_form_and_ids_with_semicolons(
    client: Client,
) -> None:
    dates = {"from_date": f"{DAY} 00:00:00", "to_date": f"{NEXT_DAY} 00:00:00"}
    some = client.voximplant("", cmd="GetCallHistory", **dates)["result"]
    ids = [str(record["call_session_history_id"]) for record in some[:3]]
    found = client.voximplant(**dates, call_session_history_id=";".join(ids))
    assert [str(r["call_session_history_id"]) for r in found["result"]] == ids
    assert int(ids[0]) > 2**31
    assert client.voximplant("")["error"]["code"] == 102
    assert client.voximplant("DropEverything")["error"]["code"] == 103


def test_evovoice_shows_a_foreign_account_unless_asked_for_ones_own(
    client: Client,
) -> None:
    own = client.of("EVOVOICE", "ACCOUNT_IDS").split(",")
    day = {"startdate": DAY, "ENDDATE": DAY}
    everything = _json(client.evovoice(**day))
    assert (len(everything["items"]), everything["hasMorePages"]) == (25, True)
    all_of_it = _json(client.evovoice(**day, All="true"))["items"]
    assert {record["accountId"] for record in all_of_it} > set(own)
    repeated = _json(client.evovoice(**day, AccountIds=own, countPerPage=9999))
    assert {record["accountId"] for record in repeated["items"]} == set(own)
    assert None not in {value for r in all_of_it for value in map(_atom, r.values())}


def _atom(value: object) -> object:
    return "nested" if isinstance(value, (list, dict)) else value


def test_evovoice_caps_a_page_in_silence_and_pages_simply(client: Client) -> None:
    days: dict[str, Any] = {"startDate": "2026-03-13", "endDate": "2026-03-24"}
    days["countPerPage"] = 9999
    page = _json(client.evovoice(**days))
    assert (len(page["items"]), page["hasMorePages"]) == (500, True)
    simple = _json(client.evovoice(**days, simplifiedPaging="true", page=1))
    assert (simple["totalCount"], simple["totalPages"]) == (0, 0)
    assert simple["items"]
    beyond = _json(client.evovoice(**days, simplifiedPaging="true", page=50))
    assert (beyond["items"], beyond["hasMorePages"]) == ([], False)


def test_an_evovoice_session_is_live_or_archived_and_otherwise_the_same(
    client: Client,
) -> None:
    asked = {"startDate": "2026-03-09", "endDate": "2026-03-09", "All": "true"}
    live = _json(client.evovoice(**asked))["items"]
    archived = _json(client.evovoice(**asked, SearchArchive="true"))["items"]
    assert live
    assert archived
    assert not {r["id"] for r in live} & {r["id"] for r in archived}
    client.set_clock("2026-04-02T00:00:00+00:00")
    moved = _json(client.evovoice(**asked, SearchArchive="true"))["items"]
    key = "id"
    assert sorted(moved, key=lambda r: str(r[key])) == sorted(
        [*live, *archived], key=lambda r: str(r[key])
    )
    assert _json(client.evovoice(**asked))["items"] == []


def test_evovoice_writes_dates_in_several_forms(client: Client) -> None:
    records = client.evovoice_days("2026-03-09", DAY)
    dates = [record["dateCreated"] for record in records]
    assert any(text.endswith("0000Z") for text in dates)
    assert any(text.startswith("/Date(") for text in dates)
    assert any(text[-1].isdigit() for text in dates)


def test_twin_ignores_a_date_field_under_a_wrong_name(client: Client) -> None:
    window = {"from": f"{DAY}T10:00:00+00:00", "to": f"{DAY}T12:00:00+00:00"}
    name = client.of("TWIN", "DATE_FIELD_PARAMETER", None)
    asked = window | {"limit": "1000", "fields": "callId,createdAt,billedAt"}
    by_billing = _json(client.twin(**asked, **{name: "billedAt"}))
    by_creation = _json(client.twin(**asked))
    assert _json(client.twin(**asked, dateField="billedAt")) == by_creation
    assert by_billing != by_creation
    low, high = f"{DAY}T10:00:00+00:00", f"{DAY}T12:00:00+00:00"
    assert by_billing["items"]
    assert all(low < record["billedAt"] < high for record in by_billing["items"])
    assert client.twin(**asked, **{name: "nonsense"}).status_code == 400


def test_twin_returns_the_fields_asked_for_and_ten_rows_unasked(
    client: Client,
) -> None:
    window = {"from": f"{DAY}T00:00:00+00:00", "to": f"{NEXT_DAY}T00:00:00+00:00"}
    bare = _json(client.twin(**window))
    assert (len(bare["items"]), bare["count"] > 100) == (10, True)
    assert "createdAt" not in bare["items"][0]
    some = _json(client.twin(**window, fields="callId,nonsense"))
    assert [set(record) for record in some["items"]] == [{"callId"}] * 10


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 1001},
        {"limit": 1000, "offset": 9001},
        {"sort": "updatedAt"},
        {"from": "2026-03-19T00:00:00"},
        {"page": 1, "offset": 10},
    ],
)
def test_twin_refuses_with_400(client: Client, params: dict[str, Any]) -> None:
    window = {"from": f"{DAY}T00:00:00+00:00", "to": f"{NEXT_DAY}T00:00:00+00:00"}
    assert client.twin(**(window | params)).status_code == 400


def test_whippy_excludes_both_bounds_caps_a_page_and_lists_newest_first(
    client: Client,
) -> None:
    window = {"after": f"{DAY}T00:00:00Z", "before": f"{NEXT_DAY}T00:00:00Z"}
    page = _json(client.whippy(limit=500, body=window))
    assert (len(page["data"]), page["total"] > 100) == (100, True)
    stamps = [record["created_at"].rstrip("Z") for record in page["data"]]
    assert stamps == sorted(stamps, reverse=True)
    inside = {"after": f"{stamps[2]}Z", "before": f"{stamps[0]}Z"}
    assert _json(client.whippy(body=inside))["total"] == 1


@pytest.mark.parametrize(
    "sent",
    [
        {"limit": 501},
        {"limit": 0},
        {"offset": -1},
        {"timeout": 14_999},
        {"timeout": 120_001},
        {"body": {"after": "yesterday"}},
        {"body": {"updated_after": "2026-03-01T00:00:00Z"}},
    ],
)
def test_whippy_refuses_with_422(client: Client, sent: dict[str, Any]) -> None:
    response = client.whippy(**sent)
    assert (response.status_code, response.json()["status"]) == (422, 422)


# --- the clock, the seed --------------------------------------------------------------


@pytest.mark.parametrize("vendor", VENDORS)
def test_late_facts_appear_as_the_clock_moves_and_then_nothing_changes(
    client: Client, vendor: str
) -> None:
    day, next_day = "2026-03-23", "2026-03-24"
    client.set_clock(f"{day}T18:00:00+00:00")
    early = client.truth(vendor, day, next_day)
    client.set_clock("2026-03-26T12:00:00+00:00")
    settled = client.truth(vendor, day, next_day)
    client.set_clock("2026-05-26T12:00:00+00:00")
    assert client.truth(vendor, day, next_day) == settled
    assert early != settled
    known = {row["vendor_call_id"] for row in early}
    assert known <= {row["vendor_call_id"] for row in settled}


def test_zoom_shows_an_engagement_once_it_is_over(client: Client) -> None:
    client.set_clock(f"{DAY}T18:00:00+00:00")
    early = client.truth("zoom", DAY, NEXT_DAY)
    assert early
    assert all(row["ended_at"] < f"{DAY}T18:00:00Z" for row in early)


def test_twin_billing_moves_updated_at_in_some_cases_only(client: Client) -> None:
    window = {"from": f"{DAY}T00:00:00+00:00", "to": f"{NEXT_DAY}T00:00:00+00:00"}
    fields = {"fields": "callId,updatedAt,billedAt", "limit": "1000"}
    items = _json(client.twin(**window, **fields))["items"]
    moved = [r["updatedAt"] >= r["billedAt"] for r in items if r["billedAt"]]
    assert 0.2 < sum(moved) / len(moved) < 0.95


def test_two_sandboxes_of_one_seed_answer_the_same(client: Client) -> None:
    process, twin = _started("--now", NOW, "--seed", "7", "--accounts", "2")
    try:
        for vendor in VENDORS:
            assert READERS[vendor](twin) == READERS[vendor](client)
    finally:
        assert _stopped(process, twin) == 0


def test_another_seed_has_another_history() -> None:
    process, other = _started("--now", NOW, "--seed", "8", "--volume", "40")
    try:
        rows = other.truth("whippy", DAY, NEXT_DAY)
        assert 30 <= len(rows) <= 50
        assert other.control("GET", "clock")["now"] == NOW.replace("+00:00", "Z")
    finally:
        _stopped(process, other)


# --- faults ---------------------------------------------------------------------------


def _ask(client: Client, vendor: str) -> requests.Response:
    """Return the first page of the day, whatever it looks like."""
    bounds = {"from": f"{DAY}T00:00:00+00:00", "to": f"{NEXT_DAY}T00:00:00+00:00"}
    if vendor == "zoom":
        return client.zoom(**bounds)
    if vendor == "evovoice":
        return client.evovoice(startDate=DAY, endDate=DAY)
    if vendor == "twin":
        return client.twin(**bounds, fields=TWIN_FIELDS)
    if vendor == "whippy":
        return client.whippy(body={"after": bounds["from"], "before": bounds["to"]})
    return client.http.post(
        f"{client.of('VOXIMPLANT', 'BASE_URL', None)}/GetCallHistory",
        data={"from_date": f"{DAY} 00:00:00", "to_date": f"{NEXT_DAY} 00:00:00"},
        headers={"Authorization": f"Bearer {client.voximplant_token()}"},
        allow_redirects=False,
    )


KEYS = {
    "zoom": ("voice_calls", "engagement_id", "start_time"),
    "voximplant": ("result", "call_session_history_id", "start_date"),
    "evovoice": ("items", "id", "dateCreated"),
    "twin": ("items", "callId", "createdAt"),
    "whippy": ("data", "id", "created_at"),
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_fault_spoils_one_response_and_then_is_gone(
    client: Client, vendor: str
) -> None:
    records, name, moment = KEYS[vendor]
    good = _ask(client, vendor).json()

    client.arm(vendor, "html")
    assert "text/html" in _ask(client, vendor).headers["Content-Type"]
    client.arm(vendor, "not_json")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        _ask(client, vendor).json()
    client.arm(vendor, "error200")
    assert records not in _json(_ask(client, vendor))
    client.arm(vendor, "missing_key")
    assert records not in _json(_ask(client, vendor))
    client.arm(vendor, "renamed_key")
    renamed = _ask(client, vendor).json()[f"{records}V2"]
    assert len(renamed) == len(good[records])
    client.arm(vendor, "null_records")
    assert _ask(client, vendor).json()[records] is None
    client.arm(vendor, "malformed_record")
    assert sum(name not in r for r in _ask(client, vendor).json()[records]) == 1
    client.arm(vendor, "malformed_record", variant="timestamp")
    assert sum(r[moment] == 12345 for r in _ask(client, vendor).json()[records]) == 1
    client.arm(vendor, "extra_record_far_future")
    far = _ask(client, vendor).json()[records]
    assert len(far) == len(good[records]) + 1
    assert far[-1][moment].startswith("2099")

    again = _ask(client, vendor).json()
    if vendor == "zoom":
        assert again["total_records"] == good["total_records"]
    else:
        assert again == good


def test_a_status_fault_waits_counts_and_sends_its_headers(client: Client) -> None:
    more: dict[str, object] = {"status": 429, "body": {"code": 429}}
    more["headers"] = {"Retry-After": "7"}
    client.arm("zoom", "status", after=1, times=2, **more)
    answers = [_ask(client, "zoom") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 200]
    assert answers[1].headers["Retry-After"] == "7"
    assert answers[1].json() == {"code": 429}


def test_a_fault_reaches_logins_only_by_their_path(client: Client) -> None:
    client.arm("zoom", "status", status=503, path="/oauth/token")
    assert client.sign_in_zoom().status_code == 503
    assert client.sign_in_zoom().status_code == 200


def test_a_truncated_body_breaks_off(client: Client) -> None:
    client.arm("whippy", "truncated")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        _ask(client, "whippy")
    client.arm("whippy", "truncated", framed=True)
    with pytest.raises(requests.exceptions.JSONDecodeError):
        _ask(client, "whippy").json()


def test_a_repeated_page_is_the_one_before(client: Client) -> None:
    day = {"after": f"{DAY}T00:00:00Z", "before": f"{NEXT_DAY}T00:00:00Z"}
    first = client.whippy(body=day, limit=5, offset=0).json()
    client.arm("whippy", "repeat_page")
    assert client.whippy(body=day, limit=5, offset=5).json() == first
    assert client.whippy(body=day, limit=5, offset=5).json() != first


def test_a_redirect_points_to_another_host(client: Client) -> None:
    client.arm("voximplant", "redirect")
    answer = _ask(client, "voximplant")
    assert answer.status_code == 302
    assert "127.0.0.1" not in answer.headers["Location"]


def test_expired_tokens_are_refused_until_renewed(client: Client) -> None:
    assert _ask(client, "zoom").status_code == 200
    assert _ask(client, "twin").status_code == 200
    for vendor in ("zoom", "twin", "voximplant"):
        client.arm(vendor, "expire_token")
    assert _ask(client, "zoom").status_code == 401
    assert _ask(client, "twin").status_code == 401
    assert _ask(client, "voximplant").json()["error"]["code"] == 456
    client.sign_in_zoom()
    client.twin_token = ""
    assert _ask(client, "zoom").status_code == 200
    assert _ask(client, "twin").status_code == 200
    assert "result" in _ask(client, "voximplant").json()


def test_a_slow_response_is_late_and_otherwise_right(client: Client) -> None:
    good = _ask(client, "whippy").json()
    client.arm("whippy", "slow", seconds=0.3)
    slow = _ask(client, "whippy")
    assert slow.elapsed.total_seconds() >= 0.3
    assert slow.json() == good


def test_requests_are_counted_by_path_and_status(client: Client) -> None:
    path = "/whippy/v1/calls/search"
    before = client.control("GET", "requests")["paths"].get(path, {})
    _ask(client, "whippy")
    client.whippy(limit=501)
    after = client.control("GET", "requests")["paths"][path]
    assert after["200"] == before.get("200", 0) + 1
    assert after["422"] == before.get("422", 0) + 1


def test_nonsense_gets_each_vendors_own_error(client: Client) -> None:
    client.sign_in_zoom()
    client.twin()
    bearer = {"Authorization": f"Bearer {client.zoom_token}"}
    zoom = client.http.get(f"{client.url}/zoom/v2/nonsense", headers=bearer)
    assert (zoom.status_code, set(zoom.json())) == (404, {"code", "message"})
    scope = "/zoom/v2/contact_center/engagements"
    assert client.http.get(client.url + scope, headers=bearer).json()["code"] == 4711
    assert client.evovoice("/nonsense").json()["responseStatus"]["message"]
    bearer = {"Authorization": f"Bearer {client.twin_token}"}
    twin = client.http.get(f"{client.url}/twin/api/v1/nonsense", headers=bearer)
    assert twin.status_code == 404
    assert client.http.get(f"{client.url}/whippy/v1/x").json()["errors"]
