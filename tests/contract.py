"""A vendor that sends exactly these records, and their real way to the facts."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import msgspec
from reading import private_key
from vendor_server import by_path, vendor_server

from pipelines.commands.build import build_and_publish
from pipelines.config.model import Account, Config, Vendor
from pipelines.extract.source import SourceSettings
from pipelines.load.loader import load_batch
from pipelines.planning.windows import Window, day_windows
from pipelines.sources import settings_of
from pipelines.warehouse import paths

FOLDER = Path(__file__).parent / "contracts"
BASES = ("full", "open", "seed")
NOW = datetime(2026, 3, 4, tzinfo=UTC)
OWNER = "5f8e00000000000000000001"
Json: TypeAlias = Any
Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Wire:
    """How one vendor's answers look, and the day that all its examples are of."""

    identity: str
    stream: str
    table: str
    day: str
    path: str
    records: str
    """Key of the records in the envelope."""
    envelope: Callable[[int], dict[str, Json]]
    """The rest of it, for so many records."""
    settings: Mapping[str, Json]
    others: Mapping[str, Json] = field(default_factory=dict)
    """Answers to whatever else it is asked, by path."""


PRICES = {
    "baseCost": 5.0,
    "rawUnitMultiplier": 1.0,
    "unitCost": 0.02,
    "allowance": 0,
}
PRICE_LIST = {
    "id": OWNER,
    "name": "Acme Offices",
    "billingSettings": {"inboundVoiceCalls": PRICES, "outboundVoiceCalls": PRICES},
}
WIRES = {
    "evovoice": Wire(
        identity="id",
        stream="sessions",
        table="sessions",
        day="2026-03-02",
        path="/sessions",
        records="items",
        envelope=lambda n: {"totalCount": n, "totalPages": 1, "hasMorePages": False},
        settings={"username": "u", "password": "p", "account_ids": OWNER},
        others={f"/accounts/{OWNER}": PRICE_LIST},
    ),
    "twin": Wire(
        identity="callId",
        stream="created_calls",
        table="calls",
        day="2026-03-02",
        path="/search/incoming/calls",
        records="items",
        envelope=lambda n: {"count": n},
        settings={"email": "e@example.com", "password": "p", "page_size": 5000},
        others={"/login": {"token": "t"}},
    ),
    "voximplant": Wire(
        identity="call_session_history_id",
        stream="call_sessions",
        table="call_sessions",
        day="2026-03-01",
        path="/GetCallHistory",
        records="result",
        envelope=lambda n: {"total_count": n, "count": n, "timezone": "Etc/GMT"},
        settings={"account_id": "1000001", "key_id": "k"},
        others={"/GetAccountInfo": {"result": {"account_id": 1, "currency": "USD"}}},
    ),
    "whippy": Wire(
        identity="id",
        stream="calls",
        table="calls",
        day="2026-03-02",
        path="/calls/search",
        records="data",
        envelope=lambda n: {"total": n},
        settings={"api_key": "k"},
    ),
    "zoom": Wire(
        identity="engagement_id",
        stream="voice_calls",
        table="voice_calls",
        day="2026-03-01",
        path="/contact_center/voice_calls",
        records="voice_calls",
        envelope=lambda n: {
            "next_page_token": "",
            "page_size": 100,
            "total_records": n,
            "from": "2026-03-01T00:00:00Z",
            "to": "2026-03-02T00:00:00Z",
        },
        settings={"account_id": "a", "client_id": "c", "client_secret": "s"},
        others={"/oauth/token": {"access_token": "t", "expires_in": 3600}},
    ),
}
ENGAGEMENTS = replace(
    WIRES["zoom"],
    stream="engagements",
    table="engagements",
    path="/contact_center/engagements",
    records="engagements",
)
"""Zoom's second list, whose records belong to calls of the first."""
REFERENCES = {"evovoice": "accounts", "voximplant": "account_info"}


def example(vendor: str, name: str) -> Json:
    """Return a file of tests/contracts."""
    return json.loads((FOLDER / vendor / f"{name}.json").read_text("utf-8"))


def page(vendor: str, records: Sequence[bytes], wire: Wire | None = None) -> bytes:
    """Return the answer that has these records, byte for byte."""
    wire = wire or WIRES[vendor]
    envelope = json.dumps(wire.envelope(len(records))).encode()
    listed = b",".join(records)
    return b'{"%s":[%s],%s' % (wire.records.encode(), listed, envelope[1:])


def settings(vendor: str, url: str, others: Mapping[str, Json]) -> SourceSettings:
    """Return the settings of a vendor's account."""
    given: Row = {
        **WIRES[vendor].settings,
        "base_url": url,
        "requests_per_second": 1000.0,
    }
    if vendor == "zoom":
        given["token_url"] = f"{url}/oauth/token"
    if vendor == "twin":
        given["login_url"] = f"{url}/login"
    if vendor == "voximplant":
        given["private_key"] = private_key()
    if vendor == "evovoice":
        owners = [path.rpartition("/")[2] for path in others]
        given["account_ids"] = ",".join([OWNER, *owners])
    return msgspec.convert(given, settings_of(vendor))


@dataclass
class Warehouse:
    """Raw files that are loaded, and the tables that are built from them."""

    folder: Path
    loads: int = 0

    def send(self, vendor: str, records: Sequence[bytes], **given: Json) -> Row:
        """Load one page of records; return the line of the ledger."""
        return self.answer(vendor, page(vendor, records, given.get("wire")), **given)

    def answer(
        self,
        vendor: str,
        body: bytes,
        others: Mapping[str, Json] | None = None,
        wire: Wire | None = None,
    ) -> Row:
        """Load one window that is answered with ``body``."""
        return self.answer_all(vendor, body, {"main": others or {}}, wire)

    def answer_all(
        self,
        vendor: str,
        body: bytes,
        accounts: Mapping[str, Mapping[str, Json]],
        wire: Wire | None = None,
    ) -> Row:
        """Load one window of each account, which gets other answers beside ``body``."""
        wire = wire or WIRES[vendor]
        self.loads += 1
        moment = NOW + timedelta(hours=self.loads)
        (window,) = day_windows(wire.stream, wire.day, _next(wire.day))
        with vendor_server() as server:
            answers: dict[str, bytes] = {}
            given: list[Account] = []
            asked: list[tuple[Account, Window]] = []
            for alias, others in accounts.items():
                for path, said in {**wire.others, **others}.items():
                    answers[f"/{alias}{path}"] = json.dumps(said).encode()
                answers[f"/{alias}{wire.path}"] = body
                own = settings(vendor, f"{server.url}/{alias}", others)
                account = Account(vendor, alias, own)
                given.append(account)
                asked.append((account, window))
                if reference := REFERENCES.get(vendor):
                    listed = Window(window.start, window.end, reference)
                    asked.append((account, listed))
            server.always = by_path(answers)
            configured = Vendor(vendor, tuple(given), None, timedelta(days=7))
            warehouse, spent = paths.Warehouse(self.folder), dict.fromkeys(accounts, 0)
            tally, _ = load_batch(configured, warehouse, asked, lambda: moment, spent)
        return next(line for line in tally.ledger if line["stream"] == wire.stream)

    def build(self, **settings: str | None) -> None:
        """Build and publish, all vendors together, every check included.

        ``settings`` are those of every account, such as ``region``.
        """
        accounts = [
            Vendor(
                name,
                (Account(name, "main", **settings),),
                None,
                timedelta(days=7),
            )
            for name in WIRES
        ]
        config = Config(warehouse=paths.Warehouse(self.folder), vendors=tuple(accounts))
        build_and_publish(config, NOW + timedelta(days=1))

    def query(self, sql: str, *values: str) -> list[Row]:
        """Query the published file."""
        path = self.folder / "calls.duckdb"
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            cursor = connection.execute(sql, values)
            names = [name for name, *_ in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _next(day: str) -> str:
    return (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
