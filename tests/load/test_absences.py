"""A call is marked deleted on proof alone, and lives as soon as it is listed again."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import LAG, VENDORS, House, copy_of, differences, open_house
from sandbox_control import stamp

from pipelines.planning.windows import DAY, read_time

NOW = read_time("2026-11-06T03:00:00Z")
"""A Friday; the history begins with a month, which EvoVoice loads whole."""
DAYS = 5
YOUNG, LONELY, OLD = "2026-11-05", "2026-11-04", "2026-11-03"
"""The last of these days is read for the last time in the night after ``NOW``."""
ALIKE = {"CALLHOUSE__SOURCES__TWIN__LOOKBACK_DAYS": "3"}
"""TWIN's changes have windows of their own, so its lookback is shorter by itself."""
DELETED = "select vendor, vendor_call_id from fact_calls where is_deleted order by all"
FACTS = (
    "select call_key, started_at, ended_at, outcome, cost_total, is_deleted "
    "from fact_calls order by call_key"
)

Ids = dict[str, list[str]]
"""By vendor."""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a sandbox, and a first night of two vendors, to be copied."""
    folder = tmp_path_factory.mktemp("absences")
    with open_house(folder, NOW, days=DAYS, volume=12) as first:
        first.environment.update(ALIKE)
        configured = replace(first, environment={**first.environment})
        configure_only(configured, SOME)
        night(configured, NOW)
        yield first


@pytest.fixture
def house(first: House, tmp_path: Path) -> Iterator[House]:
    """Give an empty warehouse, and leave the sandbox as it was."""
    first.post("clock", {"now": stamp(NOW)})
    yield replace(first, folder=tmp_path, environment={**first.environment})
    first.disarm()
    first.undo()


@pytest.fixture
def loaded(house: House, first: House) -> None:
    """Copy the first night into the warehouse."""
    copy_of(first, house.folder)


def ids_of(house: House, vendor: str, day: str) -> list[str]:
    """Return the calls of a day that are over, in order of their starts."""
    start = read_time(f"{day}T00:00:00Z")
    calls = house.truth(vendor, start, start + DAY)
    calls.sort(key=lambda call: (call["event_at"], call["vendor_call_id"]))
    return [call["vendor_call_id"] for call in calls if call["ended_at"]]


def remove(house: House, ids: Ids, *, removed: bool = True) -> None:
    for vendor, own in ids.items():
        house.post("removed", {"vendor": vendor, "ids": own, "removed": removed})


def keys_of(*ids: Ids) -> list[tuple[str, str]]:
    return sorted((v, one) for found in ids for v, own in found.items() for one in own)


def night(
    house: House, now: datetime, *arguments: str, exit_code: int = 0
) -> dict[str, dict[str, Any]]:
    """Run a night and return what it says it loaded, by vendor."""
    return told(house.night(now, "--json", *arguments), exit_code)


def load(
    house: House, now: datetime, *arguments: str, exit_code: int = 0
) -> dict[str, dict[str, Any]]:
    """Load as a night does, and build nothing."""
    house.post("clock", {"now": stamp(now)})
    done = house.run("load", "--now", stamp(now), "--json", *arguments)
    return told(done, exit_code)


def told(
    done: subprocess.CompletedProcess[str], exit_code: int
) -> dict[str, dict[str, Any]]:
    assert done.returncode == exit_code, done.stdout + done.stderr
    return {one["vendor"]: one for one in json.loads(done.stdout)["loaded"]}


def counts(loaded: dict[str, dict[str, Any]], name: str) -> dict[str, int]:
    return {vendor: one[name] for vendor, one in loaded.items()}


def journal(house: House) -> dict[str, tuple[int, int]]:
    """Return how many calls were deleted and restored in the last run, by vendor."""
    rows = house.query(
        "select vendor, deleted, restored from ops.runs where vendor <> '' "
        "and started_at = (select max(started_at) from ops.runs where vendor <> '')"
    )
    return {vendor: (deleted, restored) for vendor, deleted, restored in rows}


def starts(house: House, ids: Ids) -> list[tuple[str, str, datetime]]:
    rows = house.query("select vendor, vendor_call_id, started_at from fact_calls")
    wanted = set(keys_of(ids))
    return sorted(row for row in rows if row[:2] in wanted)


def true_starts(house: House, ids: Ids) -> list[tuple[str, str, datetime]]:
    return sorted(
        (vendor, call["vendor_call_id"], read_time(call["started_at"]))
        for vendor, own in ids.items()
        for call in house.truth(vendor, NOW - DAYS * DAY, NOW + 9 * DAY)
        if call["vendor_call_id"] in own
    )


SOME = ("twin", "zoom")
ONLY = ("--vendor", "twin", "--vendor", "zoom")


SOAK = pytest.mark.soak
ALL = [SOME, pytest.param(VENDORS, marks=SOAK)]


def configure_only(house: House, vendors: tuple[str, ...]) -> None:
    for name in [*house.environment]:
        _, _, vendor, *rest = [*name.lower().split("__"), "", ""]
        if rest[:1] == ["accounts"] and vendor not in vendors:
            del house.environment[name]


@pytest.mark.soak
@pytest.mark.parametrize("vendors", ALL)
def test_a_vendor_that_answers_nothing_deletes_nothing_however_long(
    first: House, house: House, vendors: tuple[str, ...]
) -> None:
    configure_only(house, vendors)
    if vendors == SOME:
        copy_of(first, house.folder)
    else:
        night(house, NOW)
    before = house.query(FACTS)
    house.post("blank", {"vendors": list(vendors)})
    for later, command in ((DAY, load), (2 * DAY, night)):
        loaded = command(house, NOW + later, exit_code=1)
        assert counts(loaded, "deleted") == dict.fromkeys(vendors, 0)
        for vendor, one in loaded.items():
            assert one["windows"] < one["planned"], vendor
            assert one["errors"], vendor
    status = house.run("status", "--now", stamp(NOW + 2 * DAY))
    assert status.returncode == 1, status.stdout
    assert house.query(FACTS) == before
    unread = house.query(
        "select distinct vendor, started_at::date from ops.load_windows "
        f"where started_at >= '{NOW + DAY}' and state <> 'complete' order by all"
    )
    nights = [(NOW + later).date() for later in (DAY, 2 * DAY)]
    assert unread == [(vendor, day) for vendor in vendors for day in nights]
    house.post("blank", {"vendors": list(vendors), "blank": False})
    night(house, NOW + 3 * DAY)
    assert house.query(DELETED) == []
    assert differences(house, NOW + 3 * DAY, DAYS + 3, vendors) == []


@pytest.mark.parametrize("vendors", ALL)
def test_a_call_is_deleted_by_two_nights_a_day_apart_and_moves_without_being_so(
    house: House, vendors: tuple[str, ...]
) -> None:
    """Also where its day becomes empty, and where the lookback is over meanwhile."""
    configure_only(house, vendors)
    lonely: Ids = {v: ids_of(house, v, LONELY)[:1] for v in vendors}
    old: Ids = {v: ids_of(house, v, OLD)[:1] for v in vendors}
    remove(house, {v: ids_of(house, v, LONELY)[1:] for v in vendors})
    remove(house, {v: ids_of(house, v, OLD)[1:] for v in vendors})
    load(house, NOW)

    young = {v: ids_of(house, v, YOUNG) for v in vendors}
    plain: Ids = {v: [found[1]] for v, found in young.items()}
    remove(house, plain)
    remove(house, lonely)
    remove(house, old)
    # The first one of a day goes to its end, and two go over a midnight.
    moved: Ids = {v: [found[0], found[2], found[3]] for v, found in young.items()}
    targets = (f"{YOUNG}T23:58:57Z", f"{LONELY}T04:05:06Z", "2026-11-06T01:02:03Z")
    for vendor, ids in moved.items():
        for one, start in zip(ids, targets, strict=True):
            said = {"vendor": vendor, "ids": [one], "start": start}
            house.post("moved", said)
    for later, command in ((DAY, load), (DAY + timedelta(hours=1), night)):
        loaded = command(house, NOW + later)
        assert counts(loaded, "deleted") == dict.fromkeys(vendors, 0)
    assert house.query(DELETED) == []
    assert starts(house, moved) == true_starts(house, moved)

    for vendor, ids in moved.items():
        house.post("moved", {"vendor": vendor, "ids": ids})
    loaded = night(house, NOW + 2 * DAY)
    assert house.query(DELETED) == keys_of(plain, lonely, old)
    assert counts(loaded, "deleted") == dict.fromkeys(vendors, 3)
    assert journal(house) == dict.fromkeys(vendors, (3, 0))
    assert starts(house, moved) == true_starts(house, moved)

    remove(house, plain, removed=False)
    loaded = night(house, NOW + 3 * DAY)
    assert house.query(DELETED) == keys_of(lonely, old)
    assert counts(loaded, "restored") == dict.fromkeys(vendors, 1)
    assert journal(house) == dict.fromkeys(vendors, (0, 1))
    changes = house.query(
        "select split_part(call_key, ':', 3), list((old, new) order by seen_at) "
        "from ops.call_changes where field = 'is_deleted' group by all"
    )
    gone, back = ("false", "true"), ("true", "false")
    assert dict(changes) == {
        **{one: [gone, back] for _, one in keys_of(plain)},
        **{one: [gone] for _, one in keys_of(lonely, old)},
    }
    assert differences(house, NOW + 3 * DAY, DAYS + 3, vendors) == []
    (counted,) = house.query("select sum(calls) from daily_calls")
    (living,) = house.query("select count(*) from fact_calls where not is_deleted")
    assert counted == living


@pytest.mark.soak
@pytest.mark.usefixtures("loaded")
def test_days_first_read_while_a_vendor_answers_nothing_are_read_again(
    house: House,
) -> None:
    """Nothing is stored of them that could be missing, and their lookback is over."""
    house.post("blank", {"vendors": list(SOME)})
    load(house, NOW + 6 * DAY, *ONLY, exit_code=1)
    house.post("blank", {"vendors": list(SOME), "blank": False})
    later = NOW + 7 * DAY
    night(house, later, *ONLY)
    held = set(house.query("select vendor, vendor_call_id from fact_calls"))
    lacking = [
        (vendor, call["vendor_call_id"], call["event_at"])
        for vendor in SOME
        for call in house.truth(vendor, NOW, later - LAG)
        if (vendor, call["vendor_call_id"]) not in held
    ]
    assert lacking == []


@pytest.mark.soak
@pytest.mark.parametrize("vendor", ["twin", pytest.param("zoom", marks=SOAK)])
@pytest.mark.usefixtures("loaded")
def test_many_calls_gone_at_once_are_deleted_on_the_operators_word_alone(
    house: House, vendor: str
) -> None:
    """The suite asks the vendor with three lists of its calls."""
    only = ("--vendor", vendor)
    gone: Ids = {vendor: ids_of(house, vendor, YOUNG)}
    remove(house, gone)
    for later in (DAY, 2 * DAY):
        loaded = load(house, NOW + later, *only, exit_code=1)
        assert counts(loaded, "deleted") == {vendor: 0}
        assert all(one["errors"] for one in loaded.values())

    span = ("--from", LONELY, "--to", "2026-11-07", "--now", stamp(NOW + 2 * DAY))
    forced = house.run("backfill", "--force", *only, *span)
    assert (forced.returncode, house.query(DELETED)) == (1, []), forced.stderr
    done = house.run(
        "backfill", "--force", "--confirm-deletions", "--json", *only, *span
    )
    loaded = told(done, 0)
    assert house.query(DELETED) == keys_of(gone)
    assert counts(loaded, "deleted") == {v: len(own) for v, own in gone.items()}
    assert journal(house) == {v: (len(own), 0) for v, own in gone.items()}
    load(house, NOW + 2 * DAY, *only)

    remove(house, gone, removed=False)
    loaded = night(house, NOW + 3 * DAY - timedelta(hours=4), *only)
    assert house.query(DELETED) == []
    assert counts(loaded, "restored") == {v: len(own) for v, own in gone.items()}


def test_confirming_goes_with_forcing(house: House) -> None:
    done = house.run("backfill", "--confirm-deletions", "--from", YOUNG)
    assert done.returncode == 2
    assert "--force" in done.stderr


@pytest.mark.soak
@pytest.mark.usefixtures("loaded")
def test_a_call_that_moves_between_windows_is_not_taken_for_gone(house: House) -> None:
    """TWIN's calls leave the window of the time of their last change every night."""
    for command, later in ((load, DAY), (night, 2 * DAY)):
        loaded = command(house, NOW + later, "--vendor", "twin")
        assert counts(loaded, "deleted") == {"twin": 0}
    assert house.query(DELETED) == []
    truth = house.truth("twin", NOW, NOW + 2 * DAY - LAG)
    held = house.query("select vendor_call_id from fact_calls where vendor = 'twin'")
    assert {call["vendor_call_id"] for call in truth} <= {one for (one,) in held}


@pytest.mark.usefixtures("loaded")
def test_another_machine_with_the_raw_files_alone_goes_on_from_them(
    house: House,
) -> None:
    """All else in a warehouse is made from them: the tables, and what to ask next."""
    moved = house.folder / "moved"
    shutil.copytree(house.folder / "warehouse" / "raw", moved / "raw")
    now = NOW + 3 * DAY
    zoom = "select call_key, cost_total from fact_calls where vendor = 'zoom'"
    before = set(house.query(zoom))
    there = {"CALLHOUSE__WAREHOUSE": str(moved)}
    house.post("clock", {"now": stamp(now)})
    done = house.run("run", "--vendor", "zoom", "--now", stamp(now), **there)
    assert done.returncode == 0, done.stderr
    with duckdb.connect(str(moved / "calls.duckdb"), read_only=True) as connection:
        held = set(connection.execute(zoom).fetchall())
        purposes = connection.execute(
            "select distinct purpose from ops.load_windows where vendor = 'zoom' "
            f"and started_at >= '{now}'"
        ).fetchall()
    assert {key for key, _ in before} <= {key for key, _ in held}
    assert {key for key, _ in held} >= {
        f"zoom:{call['account']}:{call['vendor_call_id']}"
        for call in house.truth("zoom", NOW, now - LAG)
    }
    assert ("lookback",) in purposes
