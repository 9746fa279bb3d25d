"""Late truth: what is pending after its lookback is asked for until it is known."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import VENDORS, House, differences, open_house
from msgspec import Raw
from sandbox_control import stamp
from vendor_server import Answer, VendorServer

from pipelines.extract.client import Client
from pipelines.extract.errors import VendorError
from pipelines.extract.pagination import Fields, Listing, Page
from pipelines.extract.resources import resources_of
from pipelines.extract.source import Endpoint, Source
from pipelines.extract.window_reader import ReadOptions
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY, Window, read_time
from pipelines.sources import evovoice, twin, voximplant, zoom

FIRST = read_time("2026-12-03T00:06:00Z")
NIGHTS = (0, 1, 3)
LOOKBACKS = {
    "zoom": "1",
    "voximplant": "1",
    "evovoice": "0",
    "twin": "0",
    "whippy": "0",
}
BY_ID = ("evovoice", "twin", "voximplant", "zoom")
"""Asked by id here, for pages of two records make days dear to read."""
CALLS = Stream("calls", "calls", "id", "at", pending="calls", ids_per_request=10)


@dataclass
class Story:
    """Nights with lookbacks far shorter than the vendors are late."""

    house: House
    told: list[dict[str, dict[str, Any]]] = field(default_factory=list)
    differences: list[list[str]] = field(default_factory=list)

    def night(self, now: datetime) -> None:
        self.keep(self.house.night(now, "--json"))
        self.differences.append(differences(self.house, now, days=2))

    def load(self, now: datetime) -> None:
        """Load as a night does; nobody looks at the tables yet."""
        self.house.post("clock", {"now": stamp(now)})
        self.keep(self.house.run("load", "--now", stamp(now), "--json"))

    def keep(self, night: subprocess.CompletedProcess[str]) -> None:
        assert night.returncode == 0, night.stderr
        loaded = json.loads(night.stdout)["loaded"]
        self.told.append({one["vendor"]: one for one in loaded})


def nights(folder: Path, **settings: str) -> Iterator[Story]:
    with open_house(folder, FIRST, days=2, volume=30, seed=12) as house:
        for vendor, days in LOOKBACKS.items():
            values = {"LOOKBACK_DAYS": days, "PAGE_SIZE": "2", **settings}
            for key, value in values.items():
                name = f"CALLHOUSE__SOURCES__{vendor.upper()}__{key}"
                house.environment[name] = value
        story = Story(house)
        first, *others = NIGHTS
        story.load(FIRST + first * DAY)
        for later in others:
            story.night(FIRST + later * DAY)
        yield story


@pytest.fixture(scope="module")
def settling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    yield from nights(tmp_path_factory.mktemp("settling"))


@pytest.mark.soak
def test_calls_that_were_late_hold_the_vendors_truth(settling: Story) -> None:
    assert settling.differences == [[], []]


@pytest.mark.soak
def test_the_run_tells_how_many_were_pending_and_how_many_settled(
    settling: Story,
) -> None:
    settled = dict.fromkeys(VENDORS, 0)
    for night, now in zip(settling.told, NIGHTS, strict=True):
        told = [
            (name, night[name]["settled"], night[name]["pending"]) for name in VENDORS
        ]
        rows = settling.house.query(
            "select vendor, settled, pending from ops.runs where command = 'load' "
            f"and started_at = '{FIRST + now * DAY}' order by all"
        )
        assert rows == told
        assert all(0 <= settled <= pending for _, settled, pending in told)
        settled = {name: settled[name] + count for name, count, _ in told}
    assert min(settled.values()) > 0, settled


@pytest.mark.soak
def test_pending_calls_are_asked_for_by_id_where_that_is_less(settling: Story) -> None:
    rows = settling.house.query(
        "select vendor, sum(rows_distinct)::bigint from ops.load_windows "
        f"where purpose = 'settle' and started_at >= '{FIRST + 3 * DAY}' group by all"
    )
    asked = {name: one["pending"] for name, one in settling.told[2].items()}
    read = dict(rows)
    assert {name: read.get(name, 0) for name in BY_ID} == {
        name: asked[name] for name in BY_ID
    }
    assert read["whippy"] > asked["whippy"] > 0


@pytest.mark.soak
def test_questions_about_pending_calls_reconcile_no_window(settling: Story) -> None:
    rows = settling.house.query(
        "select distinct verdict from ops.reconciliation where vendor = 'zoom'"
    )
    assert rows == [("matched",)]
    status = json.loads(settling.house.run("status", "--json").stdout)
    assert status["windows_open"] == 0


@pytest.mark.soak
def test_asking_again_the_same_night_changes_no_row(settling: Story) -> None:
    facts = "select * from fact_calls order by call_key"
    before = settling.house.query(facts)
    settling.night(FIRST + NIGHTS[-1] * DAY)
    assert {one["changed"] for one in settling.told.pop().values()} == {0}
    assert settling.house.query(facts) == before


@pytest.mark.soak
def test_without_a_settle_horizon_late_truth_is_lost(tmp_path: Path) -> None:
    for story in nights(tmp_path, SETTLE_DAYS="0"):
        wrong = {one.split()[0] for one in story.differences[-1]}
        assert wrong == {"evovoice", "voximplant", "whippy", "zoom"}
        assert {one["pending"] for one in story.told[-1].values()} == {0}


def at(text: str) -> datetime:
    return read_time(f"2026-{text}Z")


DAY_WINDOW = partial(Window, at("03-02T00:00:00"), at("03-03T00:00:00"))


def client(scripted: VendorServer, **answers: dict[str, object]) -> Client:
    scripted.answers = [Answer(json.dumps(body).encode()) for body in answers.values()]
    return Client("vendor", scripted.url, requests_per_second=1000)


def queries(scripted: VendorServer) -> list[dict[str, str]]:
    asked = [
        parse_qs(urlsplit(path).query or body.decode())
        for _, path, _, body in scripted.got
    ]
    return [{name: values[0] for name, values in one.items()} for one in asked]


def test_zoom_is_asked_for_one_engagement_a_request(scripted: VendorServer) -> None:
    page: dict[str, object] = {
        "voice_calls": [{}],
        "next_page_token": "",
        "total_records": 1,
    }
    asking = client(scripted, first=page, second=page)
    window = DAY_WINDOW("voice_calls", ids=("a", "b"))
    assert len(list(zoom.read(asking, zoom.VOICE_CALL_LIST, window))) == 2
    first, second = queries(scripted)
    assert [first["engagement_id"], second["engagement_id"]] == ["a", "b"]
    assert first["from"] == "2026-03-01T00:00:00+00:00"
    assert first["to"] == "2026-03-04T00:00:00+00:00"


def test_voximplant_is_asked_for_a_thousand_sessions_a_request(
    scripted: VendorServer,
) -> None:
    page: dict[str, object] = {"result": [{}], "total_count": 1, "timezone": "Etc/GMT"}
    window = DAY_WINDOW("call_sessions", ids=tuple(map(str, range(1001))))
    asking = client(scripted, first=page, second=page)
    list(voximplant.read(asking, voximplant.HISTORY, window))
    first, second = queries(scripted)
    assert first["call_session_history_id"].count(";") == 999
    assert second["call_session_history_id"] == "1000"
    assert first["from_date"] == "2026-03-01 00:00:00"
    assert first["to_date"] == "2026-03-04 00:00:00"


@pytest.mark.parametrize("archived", [False, True])
def test_evovoice_is_asked_for_sessions_in_the_collection_of_the_stream(
    scripted: VendorServer, *, archived: bool
) -> None:
    page: dict[str, object] = {"items": [], "totalCount": 0, "hasMorePages": False}
    window = DAY_WINDOW("sessions", ids=("a", "b"))
    listing = evovoice.LISTINGS[evovoice.STREAMS[archived]]
    list(evovoice.sessions(client(scripted, only=page), listing, "x", window))
    (asked,) = queries(scripted)
    assert asked["SpecificIds"] == "a,b"
    assert asked["SearchArchive"] == str(archived).lower()
    assert (asked["StartDate"], asked["EndDate"]) == ("2026-03-01", "2026-03-03")


def twin_pages(scripted: VendorServer, *found: str) -> list[Page]:
    page: dict[str, object] = {
        "items": [{"callId": one} for one in found],
        "count": len(found),
    }
    params = {"limit": 1000, "offset": 0}
    window = DAY_WINDOW("created_calls", ids=("a",))
    asking = client(scripted, only=page)
    listing = Listing("/calls", records="items", total="count", params=params)
    fields = Fields(twin.FIELDS)
    return list(twin.calls(asking, fields, "callRef", listing, window))


def test_twin_is_asked_for_one_call_under_the_configured_name(
    scripted: VendorServer,
) -> None:
    (page,) = twin_pages(scripted, "a")
    assert len(page.records) == 1
    assert queries(scripted)[0]["callRef"] == "a"


@pytest.mark.parametrize("found", [("a", "b"), ("b",)])
def test_twin_that_ignores_the_parameter_is_an_error(
    scripted: VendorServer, found: tuple[str, ...]
) -> None:
    with pytest.raises(VendorError, match="did not understand 'callRef'; set id_param"):
        twin_pages(scripted, *found)


@pytest.mark.parametrize(("found", "state"), [("a", "complete"), ("b", "failed")])
def test_another_record_than_those_asked_for_fails_the_question(
    scripted: VendorServer, found: str, state: str
) -> None:
    record = json.dumps({"id": found, "at": "2026-03-02T10:00:00Z"}).encode()
    page = Page([Raw(record)], total=5)
    window = DAY_WINDOW("calls", ids=("a", "c"))
    source = Source(client(scripted), [Endpoint(CALLS, lambda _: [page])])
    options = ReadOptions(keep_going=True)
    *_, ledger = resources_of("main", [window], source, options)
    ((row,),) = (table.to_pylist() for table in ledger)
    assert row["state"] == state
    assert row["vendor_total"] is None
    assert state == "complete" or "not asked for" in row["error"]
