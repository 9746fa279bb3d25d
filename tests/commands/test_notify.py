"""Each incident is told once to services that are really there, and when it is over."""

import json
import logging
import re
import shutil
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from socket import socket
from subprocess import CompletedProcess
from typing import Any

import duckdb
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from conftest import callhouse
from prometheus_client.parser import text_string_to_metric_families
from raw_files import LEDGER, RawFiles
from sandbox_control import stamp
from vendor_server import Answer, VendorServer

from pipelines.commands.follow_up import follow_up
from pipelines.commands.incidents import REMEDIES, TITLES
from pipelines.config.operation import Metrics, Notify, Operation
from pipelines.planning.windows import DAY
from pipelines.warehouse.journal import LoadResult, write_runs

NOW = datetime(2026, 4, 20, 3, tzinfo=UTC)
SECRET = "canary-in-an-address"
KEY = {"CALLHOUSE__SOURCES__WHIPPY__API_KEY": "k"}


class Night(RawFiles):
    """A warehouse whose nights are ledgers written by hand."""

    def read(self, now: datetime, **states: str) -> None:
        """Build at a time, after windows were read: by day of April, their state."""
        rows = [
            (
                *("main", "calls", begin, begin + DAY, "nightly", state, 0, 0, 10),
                *(now, "HTTP 500" if state == "failed" else None, None, now),
            )
            for name, state in states.items()
            for begin in [datetime(2026, 4, int(name.strip("_")), tzinfo=UTC)]
        ]
        self.write("whippy", "load_windows", LEDGER, rows)
        self.now = now
        self.build()


@pytest.fixture(scope="module")
def well(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """Give a warehouse in which everything is well."""
    night = Night(tmp_path_factory.mktemp("well") / "warehouse")
    night.read(NOW, _17="complete", _18="complete", _19="complete")
    return night


def run(night: Night, *words: str, **services: str) -> CompletedProcess[str]:
    root = night.folder.parent
    home = {"HOME": str(root), "PATH": "/usr/bin:/bin", **KEY}
    named = {f"CALLHOUSE__NOTIFY__{key}": url for key, url in services.items()}
    return callhouse(root, {**home, **named}, *words)


def address(server: VendorServer, name: str = "team") -> str:
    return f"json://127.0.0.1:{server.port}/{SECRET}-{name}"


def titles(server: VendorServer) -> list[str]:
    return [json.loads(one.body)["title"] for one in server.got]


def test_an_incident_is_told_once_and_once_that_it_is_over(
    well: Night, tmp_path: Path, scripted: VendorServer
) -> None:
    scripted.always = lambda *_: Answer()
    shutil.copytree(well.folder, tmp_path / "warehouse", symlinks=True)
    night = Night(tmp_path / "warehouse", loads=well.loads)
    night.read(NOW + DAY, _20="failed")
    told = {"SERVICES__TEAM": address(scripted)}
    words = ("notify", "--now", stamp(NOW + DAY))
    first = run(night, *words, **told)
    assert first.returncode == 0, first.stderr
    assert titles(scripted) == ["whippy main: Days or windows are not all there"]
    body = json.loads(scripted.got[0].body)["message"]
    assert "What: 2026-04-20; 1 open window; HTTP 500" in body
    assert "Since: 2026-04-20 00:00 UTC" in body
    assert "Do: run: callhouse run" in body
    assert run(night, *words, **told).stdout == "nothing new\n"

    later = NOW + DAY * 1.25
    night.read(later, _20="complete")
    words = ("notify", "--now", stamp(later))
    assert run(night, *words, **told).returncode == 0
    well_again = "whippy main: Days or windows are not all there: well again"
    assert titles(scripted)[1:] == [well_again]
    assert run(night, *words, **told).stdout == "nothing new\n"
    kept = night.folder / "incidents.json"
    assert json.loads(kept.read_text()) == []
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_run_that_never_came_is_noticed(well: Night, scripted: VendorServer) -> None:
    scripted.always = lambda *_: Answer()
    told = {"SERVICES__TEAM": address(scripted)}
    for hours, expected in ((29, []), (31, ["The tables are stale"])):
        at = stamp(NOW + timedelta(hours=hours))
        assert run(well, "notify", "--now", at, **told).returncode == 0
        assert titles(scripted) == expected
    (well.folder / "incidents.json").unlink()


def test_who_did_not_take_a_message_gets_it_the_next_time(
    well: Night, scripted: VendorServer, caplog: pytest.LogCaptureFixture
) -> None:
    deaf = [True]
    scripted.always = lambda path, _: Answer(
        status=500 if deaf[0] and path.endswith("deaf") else 200
    )
    services = {
        f"SERVICES__{name.upper()}": address(scripted, name)
        for name in ("deaf", "good")
    }
    late = ("notify", "--now", stamp(NOW + 2 * DAY))
    caplog.set_level(logging.DEBUG)
    first = run(well, *late, **services)
    assert first.returncode == 1
    assert "the service 'deaf' of [notify.services] did not take" in first.stderr
    assert "good was notified: The tables are stale" in first.stdout
    kept = (well.folder / "incidents.json").read_text()
    logged = [one.getMessage() for one in caplog.records if "urllib3" not in one.name]
    for text in (first.stdout, first.stderr, kept, *logged):
        assert SECRET not in text
    deaf.clear()
    deaf.append(False)
    scripted.got.clear()
    second = run(well, *late, **services)
    assert (second.returncode, len(scripted.got)) == (0, 1)
    assert scripted.got[0].path.endswith("deaf")
    (well.folder / "incidents.json").unlink()


class Inbox(Message):  # type: ignore[misc]
    """A mail server's inbox."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[Any] = []

    def handle_message(self, message: Any) -> None:  # noqa: ANN401
        self.mails.append(message_from_bytes(bytes(message)))


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    """Give a mail server on loopback, and its port."""
    inbox = Inbox()
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    yield inbox, port
    server.stop()


def test_a_test_message_arrives_by_mail(
    tmp_path: Path, inbox: tuple[Inbox, int]
) -> None:
    mails, port = inbox
    url = (
        f"mailto://127.0.0.1:{port}?from=callhouse@example.org&to=me@example.org"
        "&mode=insecure"
    )
    done = run(Night(tmp_path / "warehouse"), "notify", "--test", SERVICES__MAIL=url)
    assert done.returncode == 0, done.stderr
    assert [mail["Subject"] for mail in mails.mails] == ["Callhouse: a test"]


def test_nothing_that_follows_a_run_takes_it_down(
    well: Night, tmp_path: Path, scripted: VendorServer
) -> None:
    """Every service is gone, and the metrics' folder: the build is as good."""
    gone = f"http://127.0.0.1:1/{SECRET}"
    env = {
        "HOME": str(tmp_path),
        **KEY,
        "CALLHOUSE__NOTIFY__SERVICES__TEAM": gone.replace("http", "json"),
        "CALLHOUSE__NOTIFY__MAX_AGE_HOURS": "1",
        "CALLHOUSE__METRICS__TEXTFILE": "nowhere/callhouse.prom",
    }
    write_runs(
        well.config.warehouse, NOW, "load", [LoadResult("whippy", errors=("HTTP 500",))]
    )
    words = ("transform", "--now", stamp(NOW))
    done = callhouse(well.folder.parent, env, *words)
    assert done.returncode == 0, done.stderr
    assert "metrics: nowhere/callhouse.prom cannot be written: No such" in done.stderr
    assert "did not take a message (whippy: A run failed)" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    scripted.always = lambda *_: Answer()
    told = run(well, "notify", "--now", stamp(NOW), SERVICES__TEAM=address(scripted))
    assert told.returncode == 0
    assert titles(scripted) == ["whippy: A run failed"]
    assert "What: HTTP 500" in json.loads(scripted.got[0].body)["message"]
    well.config.warehouse.journal.unlink()
    (well.folder / "incidents.json").unlink()


def test_metrics_are_what_status_says(well: Night, tmp_path: Path) -> None:
    file = tmp_path / "callhouse.prom"
    config = replace(well.config, operation=Operation(metrics=Metrics(file)))
    assert follow_up(config, NOW, beats=False) == []
    found = {
        (one.name, *sorted(one.labels.values())): one.value
        for family in text_string_to_metric_families(file.read_text())
        for one in family.samples
    }
    account = ("main", "whippy")
    assert found["callhouse_build_timestamp_seconds",] == NOW.timestamp()
    assert found["callhouse_days_missing", *account] == 0
    assert found["callhouse_windows_open", *account] == 0
    assert found["callhouse_incidents", "stale"] == 0
    assert ("callhouse_requests_limit", *account) not in found
    assert list(tmp_path.iterdir()) == [file], "no half a file is left"


def test_nothing_published_is_an_incident(
    tmp_path: Path, scripted: VendorServer
) -> None:
    scripted.always = lambda *_: Answer()
    night = Night(tmp_path / "warehouse")
    done = run(night, "notify", SERVICES__TEAM=address(scripted))
    assert done.returncode == 0, done.stderr
    assert titles(scripted) == ["Nothing is published yet"]
    night.config.warehouse.published.write_bytes(b"no database")
    done = run(night, "notify", SERVICES__TEAM=address(scripted))
    assert sorted(titles(scripted)[1:]) == [
        "Nothing is published yet: well again",
        "The published file cannot be read",
    ]


def test_a_service_that_is_gone_from_the_configuration_is_forgotten(
    well: Night, scripted: VendorServer
) -> None:
    scripted.always = lambda *_: Answer()
    late = ("notify", "--now", stamp(NOW + 2 * DAY))
    assert run(well, *late, SERVICES__OLD=address(scripted)).returncode == 0
    other = {"SERVICES__OTHER": address(scripted)}
    assert run(well, *late, **other).returncode == 0
    assert run(well, "notify", "--now", stamp(NOW), **other).returncode == 0
    assert titles(scripted) == [
        *["The tables are stale"] * 2,
        "The tables are stale: well again",
    ]
    assert json.loads((well.folder / "incidents.json").read_text()) == []


@pytest.mark.parametrize("status", [200, 404, None])
def test_the_heartbeat_is_requested_and_its_failure_is_told_without_its_address(
    well: Night, scripted: VendorServer, status: int | None
) -> None:
    scripted.always = lambda *_: Answer(status=status or 200)
    port = scripted.port if status else 1
    notify = Notify(heartbeat=f"http://127.0.0.1:{port}/{SECRET}")
    config = replace(well.config, operation=Operation(notify))
    assert follow_up(config, NOW, beats=False) == []
    assert scripted.got == []
    told = follow_up(config, NOW, beats=True)
    assert [one.path for one in scripted.got] == [f"/{SECRET}"] * bool(status)
    expected = {
        200: [],
        404: ["the heartbeat was answered with 404"],
        None: ["the heartbeat could not be requested (ConnectionError)"],
    }
    assert told == expected[status]


FOUND = {
    "The vendor's totals differ": "1 window has another number of records than",
    "Records could not be read": "2 records could not be read: see the quarantine",
    "Many calls are no longer listed": "2 stored records missing in a read that is",
    "Fields of the vendor changed": "1: calls.ai.mood is new",
    "The vendor uses new words": "1 that nothing here can use, in from",
    "The daily quota is nearly gone": "0 of 10 requests are left today",
    "An invoice differs": "billed less expected: 2026-03 by -1.50 USD",
}
"""By title, what is told of the rows of incidents.sql beside this file."""


def test_what_the_tables_show_is_an_incident_with_its_remedy(
    well: Night, tmp_path: Path, scripted: VendorServer
) -> None:
    scripted.always = lambda *_: Answer()
    shutil.copytree(well.folder, tmp_path / "warehouse", symlinks=True)
    night = Night(tmp_path / "warehouse")
    with duckdb.connect(str(night.config.warehouse.published.resolve())) as file:
        file.execute(Path(__file__).with_name("incidents.sql").read_text("utf-8"))
    done = run(night, "notify", "--now", stamp(NOW), SERVICES__TEAM=address(scripted))
    assert done.returncode == 0, done.stderr
    sent = {
        title.removeprefix("whippy: ").removeprefix("whippy main: "): text
        for one in scripted.got
        for title, text in [map(json.loads(one.body).get, ("title", "message"))]
    }
    assert sent.keys() == FOUND.keys()
    for title, text in sent.items():
        assert text.startswith(f"What: {FOUND[title]}")
        assert re.search(r"\nSince: 2026-0[34]-\d\d 00:00 UTC\nDo: \w", text)
        assert "555" not in text, "a word may be a number"
        assert "canary" not in text, "nor is an example of a value sent"
    status = run(night, "status", "--now", stamp(NOW))
    assert status.returncode == 0, "these are no missing calls"


def test_each_kind_of_incident_is_described() -> None:
    page = (Path(__file__).parents[2] / "docs/operate.md").read_text("utf-8")
    assert TITLES.keys() == REMEDIES.keys()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| ")]
    described = {part.strip().lower() for row in rows for part in row.split(", a")}
    for title in TITLES.values():
        assert {title.lower(), title.lower().removeprefix("a")} & described, title


def test_a_file_of_incidents_that_cannot_be_read_is_told(
    well: Night, scripted: VendorServer
) -> None:
    kept = well.folder / "incidents.json"
    kept.write_text("[{")
    done = run(well, "notify", SERVICES__TEAM=address(scripted))
    kept.unlink()
    assert done.returncode == 2
    assert "incidents.json cannot be read; delete it, and what is wrong" in done.stderr
    assert scripted.got == []


@pytest.mark.parametrize("status", [200, 401])
def test_a_whole_run_that_is_complete_requests_the_heartbeat(
    tmp_path: Path, scripted: VendorServer, status: int
) -> None:
    """A vendor that lists nothing is complete, one that refuses the key is not."""
    calls = Answer(b'{"data": [], "total": 0}', status)
    scripted.always = lambda path, _: calls if "calls" in path else Answer()
    env = {
        "HOME": str(tmp_path),
        **KEY,
        "CALLHOUSE__SOURCES__WHIPPY__BASE_URL": scripted.url,
        "CALLHOUSE__HISTORY_DAYS": "1",
        "CALLHOUSE__NOTIFY__HEARTBEAT": f"{scripted.url}/beat",
        "CALLHOUSE__NOTIFY__SERVICES__TEAM": address(scripted),
    }
    done = callhouse(tmp_path, env, "run", "--no-audit")
    assert done.returncode == (0 if status == 200 else 1), done.stderr
    paths = [one.path for one in scripted.got if "calls" not in one.path]
    sent = f"/{SECRET}-team"
    assert paths == (["/beat"] if status == 200 else [sent])
