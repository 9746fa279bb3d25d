"""A person is gone from every byte of the warehouse, stays gone, and costs stay."""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from clients import client
from conftest import TABLES
from patience import PATIENCE
from people import (
    FORMS,
    NUMBER,
    OTHERS,
    SUMS,
    WRITTEN,
    House,
    house_of_two_nights,
    records,
)
from reading import EVENING, FIRST
from sandbox_control import stamp
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.commands import erase as erasing
from pipelines.config.model import Config
from pipelines.config.privacy import Privacy
from pipelines.load.retention import apply_retention
from pipelines.planning.windows import DAY

MARTS = ("daily_calls", "daily_costs", "monthly_account_usage", "dim_agents")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house_of_two_nights(tmp_path_factory.mktemp("erase")) as house:
        yield house


@pytest.fixture
def house(first: House, tmp_path: Path) -> House:
    return first.copied(tmp_path)


def test_a_number_is_in_no_byte_and_stays_so_and_no_cost_changes(house: House) -> None:
    assert {f"raw/{vendor}.duckdb" for vendor in FORMS} <= house.seen()
    assert any(name.startswith("snapshots/") for name in house.seen())
    assert any(name.startswith("published/") for name in house.seen())
    assert "build.duckdb" in house.seen()
    sums, marts = (
        house.query(SUMS),
        [house.query(f"from {one} order by all") for one in MARTS],
    )
    assert house.query("select 1 from ops.call_changes where new like '%0123%'")
    assert house.warehouse.report.exists()
    kept_page = house.warehouse.reports / "2026-01-01.html"
    kept_page.write_text(f"Ann, {NUMBER}", "utf-8")
    with client(house.warehouse.published, read_only=True) as analyst:
        done = house.erase("(202) 555-0123", "--region", "us")
        assert "0123" in analyst.ask("from fact_calls"), "it keeps the file it opened"
    assert (done.returncode, done.stderr.count("0123")) == (0, 0), done.stderr
    assert "erased: 5 calls" in done.stdout
    assert "0123" not in done.stdout
    assert house.seen() == set()
    assert house.warehouse.report.exists()
    assert (
        house.query(SUMS),
        [house.query(f"from {one} order by all") for one in MARTS],
    ) == (
        sums,
        marts,
    )
    erased = (
        "select vendor, customer_number, country, business_number is not null "
        "from fact_calls where is_erased order by vendor"
    )
    gone = [(vendor, None, None, True) for vendor in sorted(FORMS)]
    assert house.query(erased) == gone
    parties = (
        "select from_party, to_party from fact_call_legs join fact_calls using "
        "(call_key) where is_erased and vendor = 'zoom'"
    )
    assert {*house.query(parties)} == {(None, None)}
    for snapshot in house.warehouse.snapshots.iterdir():
        assert house.query(SUMS, snapshot)
        assert house.query(erased, snapshot)[0][1] is None
    others = "select count(*) from fact_calls where customer_number = '+12025550177'"
    assert house.query(others) == [(5,)]
    journal = house.warehouse.journal.read_text("utf-8")
    lines = [json.loads(line) for line in journal.splitlines()]
    own = [line for line in lines if line["command"] == "erase"]
    assert {(line["vendor"], line["records"]) for line in own} == {
        (vendor, 1) for vendor in FORMS
    }

    # The vendors list the call once more, one of them with its price.
    house.vendors.listed["zoom"][0]["charge"] = "$0.500"
    assert house.night(EVENING + DAY / 8).returncode == 0
    assert house.seen() == set()
    assert house.query(erased) == gone
    charged = "select cost_total from fact_calls where is_erased and vendor = 'zoom'"
    assert house.query(charged) == [(Decimal("0.5"),)]
    ((versions,),) = house.query(
        "select count(*) from raw.calls where record_id = '7001'",
        house.warehouse.raw("whippy"),
    )
    assert versions == 2, "the same record is no new version"
    changed = "select field from ops.call_changes where call_key = 'zoom:main:7001'"
    assert ("charge",) in house.query(changed)

    # A new call of the same number, in another record.
    house.vendors.listed["whippy"].append(records("whippy", FORMS["whippy"], "7003"))
    assert house.night(EVENING + DAY / 7).returncode == 0
    assert house.seen() == set()
    assert len(house.query(erased)) == 6

    assert house.run("erase", NUMBER, "--lift").returncode == 0
    house.vendors.listed["whippy"].append(records("whippy", FORMS["whippy"], "7004"))
    assert house.night(EVENING + DAY / 6.5).returncode == 0
    kept = (
        "select vendor_call_id from fact_calls where customer_number = '+12025550123'"
    )
    assert house.query(kept) == [("7004",)], "what was erased stays erased"


HOOKED = """
import os, signal, sys
from pipelines.cli.app import app
import pipelines.commands.erase, pipelines.commands.unfinished, pipelines.cli.erase_view

last, counted = int(sys.argv[1]), 0
WATCHED = {"open", "os.rename", "os.remove", "os.mkdir", "shutil.rmtree", "os.link"}

def hook(event, arguments):
    global counted
    if event in WATCHED and "warehouse" in str(arguments[0]):
        counted += 1
        if counted == last:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
try:
    app(["erase", "+12025550123", "--now", sys.argv[2]])
finally:
    print("events", counted, flush=True)
"""


def hooked(house: House, last: int) -> subprocess.CompletedProcess[str]:
    script = house.folder / "hooked.py"
    script.write_text(HOOKED)
    return subprocess.run(
        [sys.executable, str(script), str(last), stamp(EVENING + DAY / 12)],
        cwd=house.folder,
        env=house.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.soak
@pytest.mark.parametrize(
    "share",
    [
        0.6,
        *(pytest.param(n / 20, marks=pytest.mark.soak) for n in range(4, 20)),
    ],
)
def test_a_killed_erasure_is_finished_by_the_next_run(
    house: House, first: House, tmp_path: Path, share: float
) -> None:
    aside = House(tmp_path / "aside", house.vendors, house.environment)
    shutil.copytree(first.warehouse.root, aside.warehouse.root, symlinks=True)
    whole = hooked(aside, 0)
    assert whole.returncode == 0, whole.stderr
    events = int(whole.stdout.rpartition("events ")[2])
    sums = house.query(SUMS)
    done = hooked(house, round(events * share))
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (house.warehouse.privacy / "suppressed.json").exists()
    told = house.run("status")
    assert "an erasure is not finished" in told.stderr
    assert house.run("doctor", "--offline").returncode == 1
    assert house.night(EVENING + DAY / 8).returncode == 0
    assert house.seen() == set()
    assert house.query(SUMS) == sums
    assert house.query("select count(*) from fact_calls where is_erased") == [(5,)]
    assert "not finished" not in house.run("status").stderr
    assert list(house.warehouse.privacy.iterdir()) == [
        house.warehouse.privacy / "suppressed.json"
    ]


@pytest.mark.soak
def test_one_call_is_erased_by_its_key_and_no_other(house: House) -> None:
    done = house.erase("twin:main:7001")
    assert done.returncode == 0, done.stderr
    assert house.query("select call_key from fact_calls where is_erased") == [
        ("twin:main:7001",)
    ]
    house.vendors.listed["twin"][0]["messagesAsString"] = "another text"
    assert house.night(EVENING + DAY / 8).returncode == 0
    raw = house.warehouse.raw("twin")
    texts = house.query("select payload from raw.calls where record_id = '7001'", raw)
    assert texts
    assert not any("another text" in text or "0123" in text for (text,) in texts)
    assert "raw/zoom.duckdb" in house.seen(), "other calls of the number stay"


def test_a_national_form_in_an_account_without_a_region_is_told_of(
    house: House,
) -> None:
    """It may be a number of another country, so nothing is erased for it alone."""
    with duckdb.connect(str(house.warehouse.raw("evovoice"))) as file:
        sql = "update raw.sessions set payload = replace(payload, '1 202 5550123', '')"
        file.execute(sql)
    one = [{"vendor": "evovoice", "account": "main", "calls": 1}]
    for region, concerned, unsure in (("US", 5, []), ("DE", 4, []), ("", 4, one)):
        changed = {"CALLHOUSE__SOURCES__EVOVOICE__REGION": region}
        done = house.run("erase", NUMBER, "--dry-run", "--json", **changed)
        found = json.loads(done.stdout)
        assert sum(calls["calls"] for calls in found["calls"]) == concerned
        assert found["unsure"] == unsure
    said = house.run("erase", NUMBER, "--dry-run", **changed).stdout
    assert "evovoice main: 1 call not concerned, with the number in its" in said
    assert "0123" not in said


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("twin:main:nobody",), "there is no call"),
        (("12ab",), "neither a phone number nor a call's key"),
        (("202 555 0123",), "neither a phone number nor a call's key"),
        (("+12025550123", "--region", "xx"), "--region XX is not a region"),
    ],
)
def test_what_names_nobody_is_refused_and_changes_nothing(
    house: House, given: tuple[str, ...], sentence: str
) -> None:
    done = house.erase(*given)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert not (house.warehouse.privacy / "suppressed.json").exists()
    assert not [*house.folder.rglob("privacy.key")]


@pytest.mark.soak
def test_a_number_of_many_calls_is_refused_until_it_is_confirmed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = house.erase(NUMBER, "--dry-run", "--json")
    assert json.loads(counted.stdout)["calls"][0] == {
        "vendor": "evovoice",
        "account": "main",
        "calls": 1,
    }
    monkeypatch.setattr(erasing, "MOST_CALLS", 4)
    refused = house.erase(NUMBER)
    assert refused.returncode == 2
    assert "5 calls" in refused.stderr
    assert house.seen()
    assert house.erase(NUMBER, "--yes").returncode == 0
    assert not house.seen()


@pytest.mark.soak
def test_a_file_that_an_erasure_does_not_know_is_named_with_the_number_in_it(
    house: House,
) -> None:
    own = house.warehouse.root / "callers.csv"
    own.write_text("who,number\nsomebody,+1 (202) 555-0123\n", "utf-8")
    done = house.erase(NUMBER)
    assert done.returncode == 2
    place = own.relative_to(house.folder)
    assert f"the number is still in {place}; if it is a file of yours" in done.stderr
    assert house.seen() == {own.name}
    own.unlink()
    assert "none of" in house.erase(NUMBER).stdout


@pytest.mark.soak
def test_an_erasure_where_nothing_is_stored_is_no_erasure(
    house: House, tmp_path: Path
) -> None:
    """It may be the wrong folder: to be on the list for later calls must be meant."""
    empty = replace(house, folder=tmp_path / "elsewhere")
    empty.folder.mkdir()
    for more in ((), ("--dry-run",), ("--json",)):
        done = empty.erase(NUMBER, *more)
        assert (done.returncode, done.stdout) == (2, "")
        assert "warehouse has no files, so there is nothing to erase" in done.stderr
        assert [*empty.folder.iterdir()] == []
    meant = empty.erase(NUMBER, "--yes")
    assert "erased: 0 calls, also in later loads" in meant.stdout
    assert empty.night(EVENING).returncode == 0
    assert empty.seen() == set()
    assert empty.query("select count(*) from fact_calls where is_erased") == [(5,)]


def test_a_number_is_read_from_standard_input_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(house.folder)
    arguments = ["erase", "-", "--dry-run"]
    done = CliRunner().invoke(
        app, arguments, input=f"{NUMBER}\n", env=house.environment
    )
    assert "to erase: 5 calls; nothing was changed" in done.stdout


@pytest.mark.soak
def test_a_record_in_quarantine_is_erased_and_still_counted(house: House) -> None:
    broken = {**records("whippy", FORMS["whippy"], "7005"), "created_at": None}
    house.vendors.listed["whippy"].append(broken)
    assert house.night(EVENING + DAY / 18).returncode == 1
    count = "select reason, count(*) from ops.quarantine group by all"
    before = house.query(count)
    assert house.erase(NUMBER).returncode == 0
    assert house.seen() == set()
    assert house.query(count) == before
    assert house.night(EVENING + DAY / 8).returncode == 0, "it is not new a second time"
    assert house.seen() == set()
    payloads = "select distinct payload from raw.quarantine"
    ((payload,),) = house.query(payloads, house.warehouse.raw("whippy"))
    assert payload.startswith("erased:")
    assert house.run("quarantine", "retry").returncode in {0, 1}


@pytest.mark.soak
def test_a_call_that_turns_out_to_be_of_somebody_erased_loses_its_older_versions(
    house: House,
) -> None:
    assert house.erase(NUMBER).returncode == 0
    text = "their very own words"
    plain = records("whippy", OTHERS["whippy"] | {"body": text}, "7005")
    house.vendors.listed["whippy"].append(plain)
    assert house.night(EVENING + DAY / 8).returncode == 0
    own = re.compile(text.encode())
    assert "raw/whippy.duckdb" in house.seen(own)
    plain["from"] = NUMBER
    assert house.night(EVENING + DAY / 7).returncode == 0
    assert house.seen(own) == house.seen() == set()
    erased = "select is_erased from fact_calls where vendor_call_id = '7005'"
    assert house.query(erased) == [(True,)]


@pytest.mark.soak
def test_what_twin_erases_itself_is_in_no_byte_after_the_run(house: House) -> None:
    own_number, twin = re.compile(rb"12025550144"), house.vendors.listed["twin"][0]
    twin |= {
        "callingNumber": "12025550144",
        "updatedAt": f"{FIRST[0]}T18:00:00+00:00",
    }
    assert house.night(EVENING + DAY / 12).returncode == 0
    assert {"raw/twin.duckdb", "build.duckdb"} <= house.seen(own_number)
    twin |= {
        "depersonalized": True,
        "callingNumber": None,
        "updatedAt": f"{FIRST[0]}T19:00:00+00:00",
    }
    assert house.night(EVENING + DAY / 8).returncode == 0
    assert house.seen(own_number) == house.seen(re.compile(rb"1-202-555-0123")) == set()
    own = (
        "select customer_number, cost_total is not null from fact_calls "
        "where vendor = 'twin' and is_erased"
    )
    assert house.query(own) == [(None, True)]
    for snapshot in house.warehouse.snapshots.iterdir():
        assert house.query(own, snapshot) == [(None, True)]
    assert list(house.warehouse.privacy.iterdir()) == []
    assert "raw/zoom.duckdb" in house.seen(), "the other vendors keep theirs"


@pytest.mark.soak
def test_calls_of_a_vendor_without_a_raw_file_are_erased_where_they_are_left(
    house: House,
) -> None:
    house.warehouse.raw("twin").unlink()
    sums = house.query(SUMS)
    house.erase(NUMBER)
    assert house.seen() == set()
    assert house.query(SUMS) == sums
    left = "select customer_number, is_erased from fact_calls where vendor = 'twin'"
    assert set(house.query(left)) == {(None, True), ("+12025550177", False)}


@pytest.mark.soak
def test_who_was_erased_since_a_backup_stays_so_after_a_restore(house: House) -> None:
    other, of_other = "+12025550177", re.compile(rb"2025550177")
    assert house.erase(other).returncode == 0
    made = EVENING + DAY / 20
    assert house.run("backup", "backups", "--now", stamp(made)).returncode == 0
    assert house.run("erase", other, "--lift").returncode == 0
    assert house.erase(NUMBER).returncode == 0
    done = house.run("restore", "backups", "--replace")
    assert done.returncode == 0, done.stderr
    assert house.seen()
    assert "it may have who was erased since" in done.stdout
    assert "an erasure is not finished" in house.run("status").stderr
    sums = house.query(SUMS)
    house.vendors.listed["whippy"].append(records("whippy", OTHERS["whippy"], "7009"))
    assert house.night(EVENING + DAY / 8).returncode == 0
    assert house.seen() == house.seen(of_other) == set()
    erased = "select count(*) from fact_calls where is_erased"
    assert house.query(erased) == [(11,)], "either list is one"
    assert len(house.query(SUMS)) == len(sums)


@pytest.mark.soak
def test_what_was_too_old_before_a_restore_is_removed_after_it(house: House) -> None:
    limited = {"CALLHOUSE__PRIVACY__RAW_DAYS": "1"}
    now = stamp(EVENING + DAY / 20)
    assert house.run("backup", "backups", "--now", now).returncode == 0
    config = Config(house.warehouse, (), privacy=Privacy(raw_days=1))
    assert not apply_retention(config, EVENING + 3 * DAY)
    assert house.run("restore", "backups", "--replace").returncode == 0
    assert house.seen()
    sums = house.query(SUMS)
    assert house.run("transform", "--now", now, **limited).returncode == 0
    assert not house.seen()
    assert house.query(SUMS) == sums


@pytest.mark.soak
def test_a_restore_into_an_empty_place_says_which_erasures_to_repeat(
    house: House,
) -> None:
    made = EVENING + DAY / 20
    assert house.run("backup", "backups", "--now", stamp(made)).returncode == 0
    assert house.erase(NUMBER).returncode == 0
    shutil.rmtree(house.warehouse.root)
    done = house.run("restore", "backups")
    assert f"erasures made after {made:%Y-%m-%d %H:%M:%S}Z are not in it" in done.stdout
    assert "who was erased since" not in done.stdout
    assert house.seen()
    assert house.erase(NUMBER).returncode == 0
    assert not house.seen()


@pytest.mark.soak
def test_with_another_key_or_none_nothing_is_loaded_or_erased(house: House) -> None:
    key = house.folder / "config" / "privacy.key"
    assert house.erase(NUMBER).returncode == 0
    assert key.stat().st_mode & 0o777 == 0o600
    other = {"CALLHOUSE__PRIVACY__KEY": "another key of some length"}
    own = {"CALLHOUSE__PRIVACY__KEY": key.read_text().strip()}
    aside = key.rename(key.with_name("aside"))
    for changed, what in (
        (other, "the key is another one"),
        ({}, "the key is missing"),
    ):
        for command in (("run",), ("load",), ("erase", "+12025550177")):
            done = house.run(*command, **changed)
            assert done.returncode == 2, command
            assert what in done.stderr
            assert "0177" not in done.stderr
    assert (
        house.run(
            "run", "--no-audit", "--now", stamp(EVENING + DAY / 8), **own
        ).returncode
        == 0
    )
    aside.chmod(0o644)
    aside.rename(key)
    refused = house.run("run")
    assert (refused.returncode, "chmod 600" in refused.stderr) == (2, True)


@pytest.mark.soak
def test_the_list_is_private_and_has_no_number_in_it(house: House) -> None:
    assert house.erase(NUMBER).returncode == 0
    folder = house.warehouse.privacy
    listed = folder / "suppressed.json"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert listed.stat().st_mode & 0o777 == 0o600
    for vendor in TABLES:
        assert house.warehouse.raw(vendor).stat().st_mode & 0o777 == 0o600
    assert house.warehouse.build.stat().st_mode & 0o777 == 0o600
    assert house.warehouse.published.stat().st_mode & 0o777 == 0o640
    for snapshot in house.warehouse.snapshots.iterdir():
        assert snapshot.stat().st_mode & 0o777 == 0o640
    assert not WRITTEN.search(listed.read_bytes())


@pytest.mark.soak
def test_a_raw_file_keeps_its_numbers_of_loads_and_its_layout(house: House) -> None:
    raw = house.warehouse.raw("twin")
    layout = "select layout, program from callhouse.layout"
    columns = (
        "select table_name, column_name, data_type, is_nullable, column_default "
        "from duckdb_columns() where not internal order by all"
    )
    last = "select max(load_no) from raw.load_windows"
    before = [house.query(sql, raw) for sql in (layout, columns, last)]
    comments = (
        "select column_name, comment from duckdb_columns() "
        "where schema_name = 'main' order by all"
    )
    meaning = house.query(comments)
    assert house.erase(NUMBER).returncode == 0
    assert [house.query(sql, raw) for sql in (layout, columns, last)] == before
    assert house.query(comments) == meaning
    assert house.night(EVENING + timedelta(hours=3)).returncode == 0
    assert house.query(last, raw) > before[2], "a later load has a greater number"
