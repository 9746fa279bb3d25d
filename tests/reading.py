"""Windows of one vendor read in this process, from the sandbox or from a script."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus, urlsplit

import duckdb
import msgspec
import pytest
from conftest import Row
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sandbox_control import truth
from vendor_server import Answer, VendorServer, vendor_server

from pipelines.commands.build import build_and_publish
from pipelines.config.loader import read_config
from pipelines.extract.resources import dlt_source
from pipelines.extract.window_reader import ReadOptions
from pipelines.load.loader import load
from pipelines.planning.windows import Window, day_windows, read_time
from pipelines.sandbox.process import Sandbox
from pipelines.sources import connect, streams_of
from pipelines.warehouse.journal import LoadResult
from pipelines.warehouse.paths import Warehouse

NOW = read_time("2026-11-17T03:00:00Z")
MONDAY = ("2026-11-16", "2026-11-17")
FIRST = ("2026-03-01", "2026-03-02")
EVENING = read_time("2026-03-01T20:00:00Z")
NO_CONFIG = Path("no-such-folder")
SHIPPED = Path(__file__).parents[1] / "config/config.toml"
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

    def load(self, vendor: str, now: datetime) -> LoadResult:
        config = read_config(self.folder, self.environment)
        (chosen,) = (one for one in config.vendors if one.name == vendor)
        return load(chosen, config, now, lambda *_: None)

    def night(self, vendor: str, now: datetime) -> LoadResult:
        outcome = self.load(vendor, now)
        self.build(now)
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
    found = {f"CALLHOUSE__SOURCES__{name}": value for name, value in values.items()}
    return {**found, "CALLHOUSE__REPORT__ENABLED": "false"}


@contextmanager
def scripted_house(
    folders: pytest.TempPathFactory, vendor: str, **changed: str
) -> Iterator[tuple[VendorServer, House]]:
    """Give a vendor that is scripted and a warehouse that loads from it."""
    with vendor_server() as scripted:
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
        if path.startswith("/customers"):
            return listing(vendor, [])
        if path.startswith("/billing/usage"):
            return Answer(b"[]")
        return listing(vendor, records)

    return answer


OTHERS = ("/login", "/accounts/", "/customers", "/billing/usage")
"""Begins of paths that are not of a list of calls."""


def questions(vendor: VendorServer) -> list[str]:
    """Return what was asked of a list: query and body in one, readable."""
    return [
        unquote_plus(urlsplit(path).query + body.decode())
        for _, path, _, body in vendor.got
        if not path.startswith(OTHERS)
    ]


def unknown(house: House) -> set[tuple[str, str]]:
    return {*house.query("select field, value from ops.unmapped_values")}


def payloads(house: House, vendor: str, table: str, record: str) -> list[str]:
    """Return the stored versions of a record, oldest first."""
    rows = house.raw(
        vendor,
        f"select payload from raw.{table} where record_id = '{record}' "
        "and payload is not null order by fetched_at",
    )
    return [payload for (payload,) in rows]


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


def ids_in(sandbox: Sandbox, vendor: str, since: datetime, until: datetime) -> set[str]:
    """Return the calls that the vendor would report now."""
    return {call["vendor_call_id"] for call in truth(sandbox, vendor, since, until)}
