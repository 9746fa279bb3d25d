"""Records that cannot be read: told when they are new, kept, and tried again."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import House, Row, copy_of, open_house
from sandbox_control import stamp

from pipelines.planning.windows import read_time

NOW = read_time("2026-11-17T03:00:00Z")
ZOOM = ("--vendor", "zoom")
ONLY = (*ZOOM, "--vendor", "twin")
MALFORMED: dict[str, object] = {
    "vendor": "zoom",
    "kind": "malformed_record",
    "variant": "all",
    "times": 99,
}
LINEAGE = "first_loaded_at, last_loaded_at, load_id"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a sandbox, and a night without any fault, to be copied."""
    folder = tmp_path_factory.mktemp("quarantine")
    with open_house(folder, NOW, days=2, volume=8) as first:
        assert first.night(NOW, *ONLY).returncode == 0
        yield first


@pytest.fixture
def house(first: House, tmp_path: Path) -> Iterator[House]:
    """Give an empty warehouse, and leave the sandbox as it was."""
    first.post("clock", {"now": stamp(NOW)})
    yield replace(first, folder=tmp_path, environment={**first.environment})
    first.disarm()


@pytest.fixture
def loaded(house: House, first: House) -> None:
    """Copy the first night into the warehouse."""
    copy_of(first, house.folder)


def listed(house: House) -> list[Row]:
    done = house.run("quarantine", "list", "--json")
    assert done.returncode == 0, done.stderr
    rows: list[Row] = json.loads(done.stdout)
    return rows


def raw(house: House, vendor: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
    file = house.folder / "warehouse" / "raw" / f"{vendor}.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(sql, list(values)).fetchall()


def test_a_run_tells_of_records_that_are_new_in_quarantine_and_only_then(
    house: House,
) -> None:
    house.post("faults", MALFORMED)
    first = house.night(NOW, *ZOOM)
    assert first.returncode == 1
    (one,) = listed(house)
    count = one["records"]
    assert (one["vendor"], one["account"], one["open"]) == ("zoom", "main", count)
    assert f"zoom {count} new in quarantine, as they could not be read" in first.stderr
    assert f"'engagement_id' is missing or empty ({count})" in first.stderr

    shown = house.run("quarantine", "show", "--vendor", "zoom")
    assert "may hold phone numbers" in shown.stderr
    payload = json.loads(shown.stdout.splitlines()[2])
    text = house.run("quarantine", "list")
    journal = (house.folder / "warehouse" / "runs.jsonl").read_text("utf-8")
    assert "new in quarantine" in journal
    for value in (payload["consumer_number"], payload["start_time"]):
        assert value in shown.stdout
        for told in (first.stdout, first.stderr, text.stdout, text.stderr, journal):
            assert value not in told

    later = stamp(NOW + timedelta(minutes=1))
    again = house.run("load", "--now", later, *ZOOM, "--json")
    assert again.returncode == 0, "the same record is not new the second time"
    (told,) = json.loads(again.stdout)["loaded"]
    assert told["quarantined"] >= count, "windows share the records at their edges"
    assert told["unreadable"] == {}
    (both,) = listed(house)
    assert (both["records"], both["open"]) == (count, count)
    assert both["first_seen"] < both["last_seen"]
    status = json.loads(house.run("status", "--json").stdout)
    zoom = next(one for one in status["accounts"] if one["vendor"] == "zoom")
    assert zoom["quarantined"] == count

    house.disarm()
    mended = house.night(NOW + timedelta(hours=6), *ZOOM)
    assert mended.returncode == 0
    (kept,) = listed(house)
    assert (kept["records"], kept["open"]) == (count, 0)
    assert house.query("select distinct is_open from ops.quarantine") == [(False,)]
    assert house.run("quarantine", "retry").returncode == 0, "none that is open is left"


def put_aside(house: House, vendor: str, table: str, stream: str) -> str:
    """Put a stored record into quarantine as if it had not been read; return its id."""
    ((record, account, window, fetched),) = raw(
        house,
        vendor,
        f"select record_id, account, window_from, fetched_at from raw.{table} "
        "where event_at >= window_from order by record_id limit 1",
    )
    key = "account = $1 and record_id = $2 and fetched_at = $3"
    raw(
        house,
        vendor,
        f"insert into raw.quarantine by name select r.account, '{stream}' as stream, "
        "window_from, window_end as window_to, 1 as record_no, 'old code' as reason, "
        "payload, fetched_at, r.load_no, r._dlt_load_id "
        f"from raw.{table} r join raw.load_windows w on r.account = w.account "
        f"and w.stream = '{stream}' and window_from = window_start "
        "and fetched_at = started_at where r.account = $1 and record_id = $2 "
        "and fetched_at = $3",
        account,
        record,
        fetched,
    )
    raw(house, vendor, f"delete from raw.{table} where {key}", account, record, fetched)
    raw(
        house,
        vendor,
        "update raw.load_windows set rows_distinct = rows_distinct - 1, "
        "rows_inside = rows_inside - 1, rows_stored = rows_stored - 1, "
        "rows_quarantined = rows_quarantined + 1 "
        "where account = $1 and stream = $2 and window_start = $3 and started_at = $4",
        account,
        stream,
        window,
        fetched,
    )
    return str(record)


@pytest.mark.soak
@pytest.mark.usefixtures("loaded")
def test_what_can_be_read_now_becomes_a_call_as_if_it_always_had(house: House) -> None:
    facts = f"select * exclude ({LINEAGE}) from fact_calls order by call_key"
    ledger = "select * exclude (load_id) from ops.load_windows order by all"
    before = house.query(facts), house.query(ledger)
    record = put_aside(house, "zoom", "voice_calls", "voice_calls")
    assert house.run("transform", "--full", "--now", str(NOW.date())).returncode == 0
    lacking = f"select count(*) from fact_calls where vendor_call_id = '{record}'"
    assert house.query(lacking) == [(0,)]
    assert "can be read now" in listed(house)[0]["reason"]

    retried = house.run("quarantine", "retry")
    assert retried.returncode == 0, retried.stderr
    assert "zoom: 1 can be read now and are stored" in retried.stdout
    assert listed(house) == []
    built = house.run("transform", "--json", "--now", str(NOW.date()))
    assert not json.loads(built.stdout)["full"]
    assert json.loads(built.stdout)["touched"] == {"zoom": 1}
    assert (house.query(facts), house.query(ledger)) == before
    again = house.run("quarantine", "retry")
    assert (again.returncode, again.stdout) == (0, "")
    assert house.run("verify", *ONLY, "--now", "2026-11-17T03:00:00Z").returncode == 0
    assert house.night(NOW + timedelta(hours=6), *ONLY).returncode == 0


def aside(house: House, number: int, record: str, change: str) -> None:
    """Put an older copy of a stored twin record into quarantine."""
    raw(
        house,
        "twin",
        "insert into raw.quarantine by name select account, "
        "(select stream from raw.load_windows order by stream limit 1) as stream, "
        "window_from, window_from + interval 1 day as window_to, "
        "$3::bigint as record_no, 'old code' as reason, "
        "json_merge_patch(payload, $2)::varchar as payload, "
        "fetched_at - interval 1 hour as fetched_at, load_no, _dlt_load_id "
        "from raw.calls where record_id = $1",
        record,
        change,
        number,
    )


@pytest.mark.soak
@pytest.mark.usefixtures("loaded")
def test_an_older_version_replaces_no_newer_one_and_brings_nothing_erased_back(
    house: House,
) -> None:
    records = raw(house, "twin", "select record_id from raw.calls order by 1 limit 2")
    (plain,), (erased,) = records
    facts = (
        f"select * exclude ({LINEAGE}) from fact_calls "
        f"where vendor = 'twin' and vendor_call_id != '{erased}' order by 1"
    )
    number = "12025550177"
    aside(house, 1, plain, '{"callerNote": "older"}')
    aside(house, 2, erased, f'{{"callingNumber": "{number}"}}')
    mark = '{"depersonalized": true, "callingNumber": null}'
    raw(
        house,
        "twin",
        "update raw.calls set payload = json_merge_patch(payload, $2)::varchar "
        "where record_id = $1",
        erased,
        mark,
    )
    assert house.run("transform", "--full", "--now", str(NOW.date())).returncode == 0
    before = house.query(facts)
    retried = house.run("quarantine", "retry", "--vendor", "twin")
    assert "twin: 2 can be read now and are stored" in retried.stdout
    assert house.run("transform", "--now", str(NOW.date())).returncode == 0
    assert house.query(facts) == before
    versions = raw(
        house,
        "twin",
        "select record_id, count(*) from raw.calls "
        "where record_id in ($1, $2) group by 1 order by 1",
        plain,
        erased,
    )
    assert versions == sorted([(plain, 2), (erased, 2)])
    found = raw(
        house,
        "twin",
        f"select count(*) from raw.calls where payload like '%{number}%'",
    )
    assert found == [(0,)]


@pytest.mark.usefixtures("loaded")
def test_what_still_cannot_be_read_stays_and_steers_no_terminal(house: House) -> None:
    odd = {"call": "{\x1b[31m\u202e red", "lost": '{"callId": "c\ufffd1"}'}
    for number, payload in enumerate(odd.values()):
        raw(
            house,
            "twin",
            "insert into raw.quarantine by name select account, stream, "
            "window_start as window_from, window_end as window_to, "
            "$1::bigint as record_no, 'old code' as reason, $2 as payload, "
            "started_at as fetched_at, load_no, _dlt_load_id from raw.load_windows "
            "order by started_at desc limit 1",
            number,
            payload,
        )
    stored = raw(house, "twin", "from raw.quarantine order by record_no")
    retried = house.run("quarantine", "retry", "--account", "main")
    assert retried.returncode == 1
    assert "twin: 1 still cannot be read: DecodeError" in retried.stdout
    assert "bytes that were not UTF-8" in retried.stdout
    assert raw(house, "twin", "from raw.quarantine order by record_no") == stored
    shown = house.run("quarantine", "show")
    assert r"\x1b[31m\u202e red" in shown.stdout
    assert "\x1b" not in shown.stdout
    second = house.run("quarantine", "show", "2").stdout
    assert second.startswith("2: twin main")
    assert len(second.splitlines()) == 3
    for arguments, sentence in (
        (("show", "3"), "there is no record 3 in quarantine, only 2"),
        (
            ("list", "--vendor", "zom"),
            "--vendor zom: not a vendor; there are: evovoice",
        ),
    ):
        refused = house.run("quarantine", *arguments)
        assert refused.returncode == 2
        assert sentence in refused.stderr
        assert "Traceback" not in refused.stderr
