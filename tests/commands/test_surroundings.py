"""The doctor asks each account what it may read, and looks at disk and clocks."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import TUESDAY, House, open_house
from sandbox_control import stamp

from pipelines.commands import surroundings


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give vendors of whom nothing is loaded yet."""
    with open_house(tmp_path_factory.mktemp("around"), TUESDAY, days=1) as house:
        (house.folder / "config").mkdir()
        yield house


def examined(house: House, *words: str, **more: str) -> tuple[int, dict[str, Any]]:
    done = house.run("doctor", "--json", "--now", stamp(TUESDAY), *words, **more)
    around = json.loads(done.stdout)["surroundings"]
    return done.returncode, {
        " ".join(one["file"].split(" ")[:3]).split(":")[0]: one for one in around
    }


def test_every_account_is_asked_for_each_list(house: House) -> None:
    code, found = examined(house)
    assert code == 0
    accounts = {name: one for name, one in found.items() if name.startswith("account")}
    assert len(accounts) == 5
    zoom = accounts["account zoom main"]["file"]
    assert zoom.startswith("account zoom main: may read voice_calls; may not read eng")
    assert ", which is optional: zoom (127.0.0.1:" in zoom
    assert "may read calls" in accounts["account whippy main"]["file"]
    assert "duckdb " in found["versions"]["file"]
    assert found["disk"]["state"] == "good"
    assert found["schedule"]["state"] == "good"


def test_offline_nobody_is_asked(house: House) -> None:
    key = "CALLHOUSE__SOURCES__WHIPPY__BASE_URL"
    nowhere = {key: "http://127.0.0.1:1"}
    code, found = examined(house, "--offline", **nowhere)
    assert code == 0
    assert not [name for name in found if name.startswith("account")]
    done = house.run("doctor", "--offline", "--verify")
    assert done.returncode == 2
    assert "--verify asks the vendors, --offline nobody; choose one" in done.stderr


def test_a_refused_account_is_named_with_the_list(house: House) -> None:
    key = "CALLHOUSE__SOURCES__WHIPPY__ACCOUNTS__MAIN__API_KEY"
    code, found = examined(house, **{key: "canary"})
    assert code == 1
    one = found["account whippy main"]
    assert one["problem"].startswith("may not read calls: whippy (127.0.0.1:")
    assert "secrets.toml" in one["remedy"]
    assert "canary" not in json.dumps(found)


def test_a_clock_that_is_ahead_is_told_before_nothing_is_loaded(house: House) -> None:
    later = TUESDAY.replace(minute=TUESDAY.minute + 5)
    done = house.run("doctor", "--json", "--now", stamp(later))
    assert done.returncode == 1
    problems = [one["problem"] for one in json.loads(done.stdout)["surroundings"]]
    (whippy,) = [
        one
        for one in problems
        if one and one.startswith("may read calls; this machine")
    ]
    assert "seconds ahead of the vendor's; from 10 minutes on nothing" in whippy


def test_a_full_disk_is_told_before_a_run_needs_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "SPARE", 2**70)
    code, found = examined(house, "--offline")
    assert code == 1
    assert found["disk"]["problem"].startswith("a run needs about 1.2 ")
    assert found["disk"]["remedy"] == "make room there"
