"""The main job: what the vendors know and what fact_calls says are the same."""

import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import VENDORS, House, differences, open_house
from sandbox_control import stamp

from pipelines.planning.windows import read_time

FIRST = read_time("2026-11-17T03:00:00Z")
LATER = (FIRST + timedelta(days=1), FIRST + timedelta(days=3))
DAYS = 4
LATE = 1
"""A seed: three vendors price calls between these nights."""
FACTS = "select * from fact_calls order by call_key"
NO_LINEAGE = (
    "select * exclude (first_loaded_at, last_loaded_at, load_id) "
    "from fact_calls order by call_key"
)


@dataclass
class Story:
    """One house over several nights, and what its tables were after each."""

    house: House
    exit_codes: list[int] = field(default_factory=list)
    facts: list[list[tuple[Any, ...]]] = field(default_factory=list)
    differences: dict[datetime, list[str]] = field(default_factory=dict)

    def night(self, now: datetime) -> None:
        self.exit_codes.append(self.house.night(now).returncode)
        self.facts.append(self.house.query(FACTS))
        # A repeated night is compared with the night itself, which says more.
        if now not in self.differences:
            self.differences[now] = differences(self.house, now, days=DAYS)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Run a first night, the same again, and two nights more."""
    folder = tmp_path_factory.mktemp("nights")
    with open_house(folder, FIRST, days=DAYS, volume=12, seed=LATE) as house:
        story = Story(house)
        for now in (FIRST, FIRST, *LATER):
            story.night(now)
        yield story


@pytest.mark.soak
def test_every_night_ends_complete(story: Story) -> None:
    assert story.exit_codes == [0, 0, 0, 0]


def test_the_first_night_holds_the_vendors_truth(story: Story) -> None:
    assert story.differences[FIRST] == []
    assert len(story.facts[0]) > 100


def test_a_second_run_changes_no_row(story: Story) -> None:
    assert story.facts[1] == story.facts[0]


def test_late_ends_and_late_costs_arrive_night_by_night(story: Story) -> None:
    assert [story.differences[now] for now in LATER] == [[], []]
    assert len(story.facts[-1]) > len(story.facts[1])


def test_late_costs_did_arrive(story: Story) -> None:
    columns = story.house.query("select column_name from (describe fact_calls)")
    key, status = (columns.index((name,)) for name in ("call_key", "cost_status"))
    due = {row[key] for row in story.facts[1] if row[status] in {"pending", "partial"}}
    priced = {row[key] for row in story.facts[-1] if row[status] == "final"}
    late = {key.split(":")[0] for key in due & priced}
    assert late >= {"twin", "voximplant", "zoom"}


@pytest.mark.soak
def test_a_full_rebuild_equals_the_nights_that_were_built_one_by_one(
    story: Story,
) -> None:
    before = tables(story.house)
    rebuilt = story.house.run("transform", "--full", "--now", stamp(LATER[-1]))
    assert rebuilt.returncode == 0
    after = tables(story.house)
    assert before.keys() == after.keys()
    assert [name for name, rows in before.items() if rows != after[name]] == []
    assert all(before[name] for name in FILLED)


FILLED = (
    "main.bridge_call_agents",
    "main.bridge_call_queues",
    "main.fact_call_legs",
    "main.fact_call_costs",
    "main.daily_calls",
    "main.daily_queue_calls",
    "main.daily_costs",
    "main.monthly_account_usage",
    "main.dim_agents",
    "main.dim_queues",
    "main.dim_dates",
    "ops.call_changes",
)
"""Tables whose equality would prove nothing if they were empty."""


def tables(house: House) -> dict[str, list[str]]:
    """Return the rows of every published table, as text and in order."""
    names = house.query(
        "select schema_name || '.' || table_name from duckdb_tables() "
        "where table_name not in ('built_loads', 'build_state')"
    )
    return {
        name: [
            row for (row,) in house.query(f"select t::varchar from {name} t order by 1")
        ]
        for (name,) in names
    }


def test_the_ledger_reconciles_with_the_vendors_totals(story: Story) -> None:
    verdicts = dict(
        story.house.query("select verdict, count(*) from ops.reconciliation group by 1")
    )
    assert set(verdicts) == {"matched", "no_total"}
    assert verdicts["matched"] > 50


def test_the_parts_of_every_cost_are_its_total(story: Story) -> None:
    rows = story.house.query(
        "select f.call_key from fact_calls f left join (select call_key, sum(amount) s "
        "from fact_call_costs where is_leaf group by all) l using (call_key) "
        "where f.cost_total is distinct from coalesce(l.s, 0) + f.cost_unallocated "
        "and f.cost_total is not null"
    )
    assert rows == []
    (days, facts) = (
        story.house.query(f"select currency, sum({c}) from {t} group by 1 order by 1")
        for c, t in (
            ("amount", "daily_costs where component != 'base'"),
            ("cost_total", "fact_calls"),
        )
    )
    assert days == [row for row in facts if row[0] is not None]


def test_nobody_but_its_owner_can_read_the_raw_files(story: Story) -> None:
    raw = list((story.house.folder / "warehouse" / "raw").iterdir())
    assert {path.stat().st_mode & 0o777 for path in raw} == {0o600}


@pytest.mark.soak
def test_every_account_of_a_vendor_is_loaded_with_its_own_credentials(
    tmp_path: Path,
) -> None:
    with open_house(tmp_path, FIRST, days=1, volume=8, accounts=2) as house:
        second = "CALLHOUSE__SOURCES__{}__ACCOUNTS__SECOND__{}"
        house.environment[second.format("TWIN", "CURRENCY")] = "KZT"
        house.environment[second.format("TWIN", "TIME_ZONE")] = "Asia/Almaty"
        night = house.night(FIRST)
        assert night.returncode == 0, night.stderr
        wrong = differences(house, FIRST, days=1)
        assert [one for one in wrong if not one.startswith("twin ('second'")] == []
        assert house.query(
            "select account, currency, time_zone from dim_accounts "
            "where vendor = 'twin' order by 1"
        ) == [("main", None, None), ("second", "KZT", "Asia/Almaty")]
        held = house.query("select distinct vendor, account, currency from fact_calls")
        assert {row[:2] for row in held} == {
            (vendor, account) for vendor in VENDORS for account in ("main", "second")
        }
        assert set(held) > {
            ("voximplant", "main", "USD"),
            ("voximplant", "second", "RUB"),
            ("twin", "main", "RUB"),
            ("twin", "second", "KZT"),
        }


@pytest.mark.parametrize(
    "windows_before_the_kill",
    [
        pytest.param(1, marks=pytest.mark.soak),
        pytest.param(16, marks=pytest.mark.soak),
        pytest.param(40, marks=pytest.mark.soak),
    ],
)
def test_a_load_killed_in_the_middle_is_finished_by_the_next_run(
    tmp_path: Path, windows_before_the_kill: int
) -> None:
    with open_house(tmp_path, FIRST, days=20, volume=30, seed=3) as house:
        process = house.start("run", "--now", "2026-11-17T03:00:00Z")
        assert process.stderr is not None
        for line in process.stderr:
            if ": " in line and int(line.split()[1]) >= windows_before_the_kill:
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not house.published.exists()
        again = house.night(FIRST)
        assert again.returncode == 0, again.stderr
        assert differences(house, FIRST, days=20) == []
        killed = house.query(NO_LINEAGE)
    with open_house(tmp_path / "clean", FIRST, days=20, volume=30, seed=3) as clean:
        assert clean.night(FIRST).returncode == 0
        assert clean.query(NO_LINEAGE) == killed


@pytest.mark.soak
def test_sixty_nights_hold_the_truth_and_equal_one_rebuild(tmp_path: Path) -> None:
    """Late ends, late prices, erasures: whatever came late came night by night."""
    begin = FIRST - timedelta(days=60)
    with open_house(tmp_path, begin, days=5, volume=20) as house:
        for later in range(60):
            now = begin + timedelta(days=later)
            night = house.night(now)
            assert night.returncode == 0, night.stderr
            if later % 10 == 9:
                assert differences(house, now, days=later + 5) == []
        nightly = tables(house)
        assert house.run("transform", "--full", "--now", stamp(now)).returncode == 0
        rebuilt = tables(house)
        assert [name for name in nightly if nightly[name] != rebuilt[name]] == []


@pytest.mark.soak
def test_readers_see_whole_nights_only_through_runs_and_a_kill(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    failures: list[str] = []
    done = threading.Event()

    def read(published: Path) -> None:
        while not done.is_set():
            try:
                # A path of its own each time: within one process DuckDB would
                # otherwise go on with the file it has open.
                link = published.with_name(f"{threading.get_ident()}.duckdb")
                link.unlink(missing_ok=True)
                link.hardlink_to(published)
                with duckdb.connect(str(link), read_only=True) as connection:
                    (row,) = connection.execute(
                        "select (select count(*) from fact_calls), "
                        "(select sum(calls) from daily_calls)"
                    ).fetchall()
                seen.append(row)
            except (duckdb.Error, OSError) as error:
                failures.append(str(error))

    with open_house(tmp_path, FIRST, days=4, volume=40) as house:
        assert house.night(FIRST).returncode == 0
        readers = [
            threading.Thread(target=read, args=(house.published,)) for _ in range(10)
        ]
        for reader in readers:
            reader.start()
        for later in (1, 2):
            assert house.night(FIRST + timedelta(days=later)).returncode == 0
        house.post("clock", {"now": "2026-11-20T03:00:00Z"})
        process = house.start("run", "--now", "2026-11-20T03:00:00Z")
        assert process.stderr is not None
        next(process.stderr)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        done.set()
        for reader in readers:
            reader.join()
    assert failures == []
    assert all(calls == in_marts for calls, in_marts in seen)
    assert len(set(seen)) == 3, "each of the three nights was seen, and nothing else"
