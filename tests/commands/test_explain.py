"""One call's story: what is published, what came of it, and nothing that was erased."""

import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from click.testing import Result
from conftest import House, Row, open_house
from sandbox_control import stamp
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.config.fx_rates import FX_RATES
from pipelines.planning.windows import DAY, read_time

NOW = read_time("2026-11-17T03:00:00Z")
VENDORS = ("twin", "voximplant", "zoom")
LATE = 9
"""A seed: TWIN bills a call, and erases another, between the two nights."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give two nights; before the second, Zoom takes a call off its list."""
    chosen = [word for vendor in VENDORS for word in ("--vendor", vendor)]
    folder = tmp_path_factory.mktemp("explain")
    with open_house(folder, NOW, days=1, volume=15, seed=LATE) as house:
        assert house.night(NOW, *chosen).returncode == 0
        (gone, *_) = house.query(
            "select vendor_call_id from fact_calls where vendor = 'zoom' order by all"
        )
        house.post("removed", {"ids": [*gone]})
        # Two runs must miss a call before it counts as deleted.
        later = stamp(NOW + DAY)
        house.post("clock", {"now": later})
        missed = house.run("load", "--vendor", "zoom", "--now", later)
        assert missed.returncode == 0
        assert house.night(NOW + 2 * DAY, *chosen).returncode == 0
        yield house


@pytest.fixture(autouse=True)
def inside(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(house.folder)


def explain(house: House, *arguments: str, **changed: str) -> Result:
    environment = {**house.environment, **changed}
    return CliRunner().invoke(app, ["explain", *arguments], env=environment)


def told(house: House, key: str) -> Row:
    done = explain(house, key, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    story: Row = json.loads(done.stdout, parse_float=Decimal)
    return story


def key_of(house: House, condition: str) -> str:
    (key, *_) = house.query(
        f"select call_key from fact_calls where {condition} order by call_key"
    )
    return str(key[0])


def payloads(house: House, table: str, key: str) -> list[Row | None]:
    vendor, account, call_id = key.split(":")
    path = house.folder / f"warehouse/raw/{vendor}.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        rows = connection.execute(
            f"select payload from raw.{table} where account = ? and record_id = ?"
            " order by fetched_at",
            [account, call_id],
        ).fetchall()
    return [text and json.loads(text, parse_float=Decimal) for (text,) in rows]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_story_has_the_published_call_its_lines_and_the_record_as_it_came(
    house: House, vendor: str
) -> None:
    key = key_of(house, f"vendor = '{vendor}' and cost_total > 0 and not is_deleted")
    story = told(house, key)
    ((total, rest, started),) = house.query(
        "select cost_total, cost_unallocated, epoch(started_at) from fact_calls "
        f"where call_key = '{key}'"
    )
    call = story["call"]
    assert Decimal(call["cost_total"]) == total
    assert read_time(call["started_at"]).timestamp() == started
    lines = [one for one in story["costs"] if one["is_leaf"] and one["amount"]]
    leaves = [Decimal(one["amount"]) for one in lines]
    assert sum(leaves) + rest == total
    for name in ("legs", "costs"):
        held = house.query(f"from fact_call_{name} where call_key = '{key}'")
        assert len(story[name]) == len(held)
    ((table, record),) = story["records"].items()
    assert record == payloads(house, table, key)[-1]


def test_a_price_that_came_late_is_told_with_the_load_that_brought_it(
    house: House,
) -> None:
    key = key_of(
        house,
        "vendor = 'twin' and not is_erased and last_loaded_at > first_loaded_at "
        "and cost_total > 0 and started_at < '2026-11-17T03:00:00Z'",
    )
    story = told(house, key)
    first, second = story["versions"]
    assert (first["event"], second["event"]) == ("first", "changed")
    assert second["load_id"] == story["call"]["load_id"]
    (price,) = (one for one in second["changes"] if one["field"] == "totalCost")
    assert price["old"] in {None, "0"}
    assert Decimal(price["new"]) == Decimal(story["call"]["cost_total"])
    assert {one["purpose"] for one in second["windows"]} <= {"nightly", "lookback"}
    assert len(story["unsettled"]) == 1
    text = explain(house, key, CALLHOUSE__REPORTING_TIME_ZONE="Asia/Tokyo").stdout
    old = price["old"] or "nothing"
    for part in ("Asia/Tokyo", f"totalCost: {old} -> {price['new']}"):
        assert part in text
    assert "unallocated" in text
    assert f"{Decimal(story['call']['cost_total']).normalize():f} RUB" in text


@pytest.mark.parametrize(
    "zone",
    [
        *("America/Vancouver", "America/Edmonton", "Africa/Casablanca"),
        *("Europe/Chisinau", "Asia/Tokyo", "PST"),
    ],
)
def test_a_story_has_the_local_time_that_call_date_is_of(
    house: House, zone: str
) -> None:
    key = key_of(house, "vendor = 'zoom' and ended_at is not null")
    (local,) = house.query(
        f"select strftime(moment at time zone '{zone}', '%Y-%m-%d %H:%M:%S')"
        " from (select unnest([started_at, ended_at]) as moment, call_key"
        f" from fact_calls) where call_key = '{key}' limit 1"
    )
    text = explain(house, key, CALLHOUSE__REPORTING_TIME_ZONE=zone).stdout
    assert f"({local[0]} {zone})" in text


def test_a_zone_that_only_python_knows_is_refused(house: House) -> None:
    key = key_of(house, "vendor = 'zoom'")
    done = explain(house, key, CALLHOUSE__REPORTING_TIME_ZONE="localtime")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "REPORTING_TIME_ZONE: 'localtime' is not a time zone" in done.stderr


def test_a_deleted_call_has_its_last_record_and_says_since_when_it_is_gone(
    house: House,
) -> None:
    key = key_of(house, "is_deleted")
    story = told(house, key)
    assert [one["event"] for one in story["versions"]][-1] == "deleted"
    kept = [one for one in payloads(house, "voice_calls", key) if one is not None]
    assert story["records"]["voice_calls"] == kept[-1]
    text = explain(house, key).stdout
    assert "its vendor no longer lists it, found 2026-11-19 03:00" in text


def test_nothing_that_twin_has_erased_is_part_of_a_story(house: House) -> None:
    key = key_of(house, "is_erased and last_loaded_at > first_loaded_at")
    before, after = payloads(house, "calls", key)
    personal = ("callingNumber", "messagesAsString", "recordPath")
    assert before is not None
    assert after is not None
    assert {one[name] for one in (before, after) for name in personal} == {None}
    story, text = told(house, key), explain(house, key).stdout
    fields = {one["field"] for one in story["versions"][-1]["changes"]}
    assert "depersonalized" in fields
    assert not fields & {*personal}
    assert "depersonalised" in text


def test_an_unknown_key_is_refused_with_the_nearest(house: House) -> None:
    key = key_of(house, "vendor = 'twin'")
    call_id = key.rpartition(":")[2]
    for word, sentence in {
        f"twin:other:{call_id}": f"did you mean {key}?",
        f"{key[:-1]}x": f"did you mean {key}?",
        call_id: "is not a call's key, which is vendor:account:id as in "
        f"fact_calls.call_key; did you mean {key}?",
        "tvin:main:none": "there is no vendor 'tvin'",
        "twin:main:none": "there is no call 'twin:main:none'\n",
    }.items():
        done = explain(house, word)
        assert (done.exit_code, done.stdout) == (2, "")
        assert sentence in done.stderr


def test_without_the_raw_file_the_published_facts_are_told_still(
    house: House, tmp_path: Path
) -> None:
    shutil.copy(house.published, tmp_path)
    key = key_of(house, "vendor = 'zoom'")
    done = explain(house, key, CALLHOUSE__WAREHOUSE=str(tmp_path))
    assert done.exit_code == 0
    assert key in done.stdout
    assert "cannot be read here" in done.stdout


def test_a_wrong_table_of_exchange_rates_stops_no_story(
    house: House, tmp_path: Path
) -> None:
    (tmp_path / FX_RATES).write_text("day,rate\n")
    key = key_of(house, "vendor = 'zoom'")
    done = explain(house, key, CALLHOUSE_CONFIG=str(tmp_path))
    assert (done.exit_code, key in done.stdout) == (0, True), done.stderr


def test_what_shows_numbers_in_another_way_than_the_published_file_says_so(
    house: House, tmp_path: Path
) -> None:
    masked = {"CALLHOUSE__PRIVACY__PHONE_NUMBERS": "masked"}
    ((key,),) = house.query("select any_value(call_key) from fact_calls")
    for command in (("explain", key), ("export", "dbt", str(tmp_path / "dbt"))):
        told, plain = house.run(*command, **masked), house.run(*command)
        assert (told.returncode, plain.returncode) == (0, 0), told.stderr
        assert "private raw files, so phone numbers are not masked" in told.stderr
        assert "private raw files" not in plain.stderr
