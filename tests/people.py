"""Five vendors at one address, and a warehouse with calls of one person."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from conftest import Row, callhouse
from contract import example
from reading import EVENING, FIRST, listing, said, scripted_environment
from sandbox_control import stamp
from vendor_server import Answer, VendorServer, vendor_server

from pipelines.planning.windows import DAY
from pipelines.warehouse.paths import Warehouse
from transforms.runner.storage import reading

NUMBER = "+12025550123"
WRITTEN = re.compile(
    rb"2[\s().\-/]{0,3}0[\s().\-/]{0,3}2[\s().\-/]{0,3}555[\s.\-]?0123"
)
LISTS = {
    "/contact_center/voice_calls": "zoom",
    "/GetCallHistory": "voximplant",
    "/sessions": "evovoice",
    "/search/incoming/calls": "twin",
    "/calls/search": "whippy",
}
SUMS = (
    "select vendor, currency, sum(cost_total), sum(cost_telephony), sum(cost_ai), "
    "sum(total_seconds), count(*), count(cost_total), count(ended_at), "
    "list(outcome order by call_key), list(direction order by call_key) "
    "from fact_calls group by all order by vendor, currency"
)


def records(vendor: str, form: Mapping[str, Any], call: str) -> Row:
    """Return the vendor's full example on the first day, with an id and changes."""
    text = json.dumps(example(vendor, "full")).replace("2026-03-02", FIRST[0])
    record: Row = json.loads(text.replace("12025550102", "12025550188"))
    ids = {"zoom": "engagement_id", "twin": "callId", "evovoice": "id"}
    key = ids.get(vendor, "id" if vendor == "whippy" else "call_session_history_id")
    record[key] = int(call) if vendor == "voximplant" else call
    record |= {"accountId": "a-1"} if vendor == "evovoice" else {}
    return record | dict(form)


def legs(number: str) -> list[Row]:
    first, *others = example("voximplant", "full")["calls"]
    return [{**first, "remote_number": number, "custom_data": f"to {NUMBER}"}, *others]


FORMS: Mapping[str, Row] = {
    "zoom": {"caller_number": NUMBER, "consumer_number": "+1 (202) 555-0123"},
    "voximplant": {"calls": legs("12025550123")},
    "evovoice": {
        "fromAddress": "(202) 555-0123",
        "log": [{"message": "1 202 5550123"}],
    },
    "twin": {
        "callingNumber": "12025550123",
        "messagesAsString": "Bot: ...\nClient: call me, 1-202-555-0123",
        "additional": '{"phone": "001 202 555 0123"}',
    },
    "whippy": {
        "from": "+1.202.555.0123",
        "attachments": [
            {
                "content_type": "audio/wav",
                "url": "https://storage.example/12025550123-01.wav",
            }
        ],
    },
}
OTHERS: Mapping[str, Row] = {
    "zoom": {"caller_number": "+12025550177", "consumer_number": "+12025550177"},
    "voximplant": {},
    "evovoice": {"fromAddress": "(202) 555-0177"},
    "twin": {"callingNumber": "12025550177"},
    "whippy": {"from": "+12025550177"},
}


@dataclass
class Vendors:
    """Five vendors at one address, with the records of the person and of others."""

    server: VendorServer
    listed: dict[str, list[Row]] = field(default_factory=dict)

    def reset(self) -> None:
        self.listed = {
            vendor: [
                records(vendor, FORMS[vendor], "7001"),
                records(vendor, OTHERS[vendor], "7002"),
            ]
            for vendor in FORMS
        }
        for legs_of in self.listed["voximplant"][1:]:
            legs_of["calls"][0]["remote_number"] = "12025550177"

    def answer(self, path: str, _: bytes) -> Answer:
        if path.startswith("/login"):
            return said(access_token="t-1", expires_in=3600, token="t-1")
        if path.startswith("/GetAccountInfo"):
            return said(result={"account_id": 1, "currency": "USD"})
        if path.startswith("/accounts/"):
            return said(id="a-1")
        if path.startswith("/customers"):
            return listing("evovoice", [])
        if path.startswith("/billing/usage"):
            return Answer(b"[]")
        vendor = next(LISTS[one] for one in LISTS if path.startswith(one))
        return listing(vendor, self.listed[vendor])


@dataclass
class House:
    """A warehouse of its own, used through the command line."""

    folder: Path
    vendors: Vendors
    environment: dict[str, str]

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.folder / "warehouse")

    def run(self, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return callhouse(self.folder, {**self.environment, **changed}, *arguments)

    def night(self, now: datetime) -> subprocess.CompletedProcess[str]:
        return self.run("run", "--no-audit", "--now", stamp(now))

    def erase(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("erase", *arguments, "--now", stamp(EVENING + DAY / 12))

    def query(self, sql: str, file: Path | None = None) -> list[tuple[Any, ...]]:
        path = file or self.warehouse.published
        with reading(path) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()

    def seen(self, pattern: re.Pattern[bytes] = WRITTEN) -> set[str]:
        """Return the files that have the number in their bytes."""
        root = self.warehouse.root
        return {
            str(path.relative_to(root))
            for path in root.rglob("*")
            if path.is_file() and pattern.search(path.read_bytes())
        }

    def copied(self, folder: Path) -> "House":
        """Return a copy in another folder; it loads from the same vendors."""
        shutil.copytree(self.warehouse.root, folder / "warehouse", symlinks=True)
        self.vendors.reset()
        self.vendors.listed["zoom"][0]["consumer_display_name"] = NUMBER
        environment = {**self.environment, "HOME": str(folder)}
        return replace(self, folder=folder, environment=environment)


@contextmanager
def house_of_two_nights(folder: Path) -> Iterator[House]:
    """Give two runs of all vendors: in the second the person's number was mended."""
    with vendor_server() as server:
        vendors = Vendors(server)
        vendors.reset()
        server.always = vendors.answer
        environment = {
            **scripted_environment(server.url),
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "CALLHOUSE__START": FIRST[0],
            "CALLHOUSE__REPORT__ENABLED": "true",
            "CALLHOUSE__SOURCES__EVOVOICE__REGION": "US",
        }
        house = House(folder, vendors, environment)
        vendors.listed["whippy"][0]["from"] = "+1 (202) 555 0123"
        assert house.night(EVENING).returncode == 0
        vendors.reset()
        vendors.listed["zoom"][0]["consumer_display_name"] = NUMBER
        assert house.night(EVENING + DAY / 24).returncode == 0
        yield house
