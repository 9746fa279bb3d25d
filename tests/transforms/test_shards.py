"""Builds in shards: the same tables as one build of all, or none."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from comparing import differences_of_files
from conftest import House, open_house
from hypothesis import given, settings
from hypothesis import strategies as st
from patience import PATIENCE
from raw_files import NOW as TODAY
from raw_files import RawFiles, whippy_call
from sandbox_control import control, stamp
from test_runner import TEXT, VOICE, Row, Warehouse

from pipelines.config.building import Building
from pipelines.config.rate_cards import RateCard
from pipelines.planning.windows import DAY, read_time
from transforms.runner import build as runner
from transforms.runner import shards
from transforms.runner.build import BuildResult, build
from transforms.runner.checks import CheckFailed
from transforms.runner.inputs import Raw
from transforms.runner.parsing import ModelError
from transforms.runner.processes import ATTEMPTS, Processes
from transforms.runner.shards import Job, ShardError, ShardResult, Shards, Spread
from transforms.runner.spark import Cluster
from transforms.runner.storage import Place

NOW = read_time("2026-11-03T03:00:00Z")
"""Of the fifteen days before it, some are of another month."""
SPLIT = {"CALLHOUSE__BUILD__SHARD_SIZE": "60", "CALLHOUSE__BUILD__PROCESSES": "2"}
Work = Callable[[int], ShardResult]


class Here:
    """Builds shards in the process of the test, which is quicker."""

    side_by_side = 1

    def __call__(self, work: Work, numbers: Sequence[int]) -> Iterable[ShardResult]:
        return map(work, numbers)


def build_split(
    warehouse: Warehouse,
    size: int = 1,
    spread: Spread | None = None,
    *,
    least: int = 1,
    key: str = "",
) -> BuildResult:
    folder, spread = warehouse.root / "shards", spread or Here()
    return build(
        warehouse.root / "build.duckdb",
        warehouse.models,
        warehouse.raw,
        warehouse.context,
        split=Shards(folder, spread, size, least, key),
    )


def shards_of(result: BuildResult) -> int:
    return sum(one.name.startswith("shard ") for one in result.costs)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = Warehouse(tmp_path)
    made.register("main", 10)
    made.register("second", 0)
    made.load("acme", *((number, number, VOICE) for number in range(6)))
    made.load("bolt", *((number, 12 * number, VOICE) for number in range(6)))
    return made


# Whose records, then number, hours, payload of each: 24 hours are the next month.
LOADS = st.lists(
    st.tuples(
        st.sampled_from(["acme", "bolt"]),
        st.lists(
            st.tuples(
                st.integers(0, 7),
                st.sampled_from([1, 20, 30, 47, 49, 760]),
                st.sampled_from([VOICE, TEXT, VOICE | {"units": 3, "cost": "2"}]),
            ),
            min_size=1,
            max_size=6,
            unique_by=lambda row: row[0],
        ),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=6)
@given(loads=LOADS, size=st.integers(1, 4))
def test_any_history_has_the_rows_of_one_build_full_and_incremental(
    tmp_path_factory: pytest.TempPathFactory,
    loads: list[tuple[str, list[Row]]],
    size: int,
) -> None:
    warehouse = Warehouse(tmp_path_factory.mktemp("history"))
    warehouse.register("main", 10)
    warehouse.register("second", 0)
    for vendor, rows in loads:
        warehouse.load(vendor, *rows)
        result = build_split(warehouse, size=size)
        assert bool(shards_of(result)) == (sum(result.rebuilt.values()) >= size)
        assert warehouse.tables() == warehouse.clean()
    (warehouse.root / "build.duckdb").unlink()
    build_split(warehouse, size=size)
    assert warehouse.tables() == warehouse.clean()


def test_records_of_a_group_are_in_one_shard(warehouse: Warehouse) -> None:
    result = build_split(warehouse)
    # Six of acme's, and of bolt's two accounts with two months each.
    assert shards_of(result) == 6 + 4
    assert warehouse.tables() == warehouse.clean()


def test_a_record_that_moved_joins_the_groups_that_it_was_in(
    warehouse: Warehouse,
) -> None:
    warehouse.load("bolt", (0, 49, VOICE))
    result = build_split(warehouse)
    assert shards_of(result) == 6 + 3
    assert warehouse.tables() == warehouse.clean()


def test_a_key_that_divides_a_group_is_refused(warehouse: Warehouse) -> None:
    warehouse.build()
    before = warehouse.tables()
    warehouse.load("bolt", (6, 3, VOICE))
    with pytest.raises(ModelError) as refused:
        build_split(warehouse, key="record_id")
    assert str(refused.value) == (
        "shards by record_id divide records of bolt main that are computed together "
        "(@rebuild_group date_trunc('month', event_at) in staging/bolt__calls.sql), "
        "and would have wrong rows"
    )
    assert warehouse.tables() == before
    assert not (warehouse.root / "shards").exists()


def test_the_refused_key_would_have_wrong_rows(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_refuse_divided", lambda *_: None)
    build_split(warehouse, key="record_id")
    right = warehouse.clean()
    wrong = warehouse.tables()
    assert wrong["main.fact_calls"] != right["main.fact_calls"]


def test_a_key_that_keeps_groups_whole_is_taken(warehouse: Warehouse) -> None:
    key = "(vendor, account, date_trunc('month', first_at))"
    assert shards_of(build_split(warehouse, key=key)) == 6
    assert warehouse.tables() == warehouse.clean()


def test_few_records_are_built_as_one(warehouse: Warehouse) -> None:
    assert not shards_of(build_split(warehouse, size=4, least=4))
    assert not shards_of(build_split(warehouse, size=0))


def test_a_model_of_all_calls_cannot_be_read_for_a_call(warehouse: Warehouse) -> None:
    warehouse.write(
        "facts/fact_ranks.sql",
        """
        -- One row per call.
        -- @key call_key
        -- @column call_key: of the call
        -- @column calls: of its vendor
        -- @not_null calls
        select call_key, call_count as calls
        from main.fact_calls
        inner join main.dim_vendors using (vendor)
        """,
    )
    with pytest.raises(ModelError, match=r"dim_vendors.sql is made of all calls"):
        build_split(warehouse)


def test_rows_that_break_a_check_are_named_as_in_one_build(
    warehouse: Warehouse,
) -> None:
    warehouse.load("acme", *((one, one, VOICE | {"cost": "-1"}) for one in (1, 3)))
    failed = []
    for make in (warehouse.build, partial(build_split, warehouse, spread=Processes())):
        with pytest.raises(CheckFailed) as caught:
            make()
        failed.append((str(caught.value), sorted(map(str, caught.value.rows))))
    assert failed[0] == failed[1]
    assert "2 rows fail" in failed[0][0]


def test_an_error_in_a_process_is_the_error_of_the_build(warehouse: Warehouse) -> None:
    text = (warehouse.models / "staging/acme__calls.sql").read_text()
    text = text.replace("One row per call.", "One row per call.\n-- @check cost < 1")
    (warehouse.models / "staging/acme__calls.sql").write_text(text)
    with pytest.raises(CheckFailed, match=r"staging.acme__calls: 1 rows fail") as found:
        build_split(warehouse, spread=Processes())
    assert found.value.rows
    assert "in shard" in found.value.__notes__[-1]


def killed(work: Work, folder: Path, times: int, number: int) -> ShardResult:
    """Kill its own process the first times, before or after the work."""
    begun = folder / f"begun-{number}-{time.monotonic_ns()}"
    begun.touch()
    count = len([*folder.glob(f"begun-{number}-*")])
    if number % 2 and count <= times:
        if count == 1:
            work(number)
        os.kill(os.getpid(), signal.SIGKILL)
    return work(number)


class Deadly:
    """Processes of which some are killed."""

    side_by_side = 2

    def __init__(self, folder: Path, times: int) -> None:
        self.folder, self.times = folder, times

    def __call__(self, work: Work, numbers: Sequence[int]) -> Iterable[ShardResult]:
        fatal = partial(killed, work, self.folder, self.times)
        return Processes(self.side_by_side)(fatal, numbers)


def test_a_shard_whose_process_is_killed_is_built_again(
    warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("begun")
    result = build_split(warehouse, size=4, spread=Deadly(folder, ATTEMPTS - 1))
    assert len([*folder.iterdir()]) > shards_of(result) > 2
    assert warehouse.tables() == warehouse.clean()
    assert not (warehouse.root / "shards").exists()


def test_a_shard_that_is_killed_again_and_again_fails_the_build(
    warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> None:
    warehouse.build()
    before = warehouse.tables()
    warehouse.load("acme", *((number, 2, VOICE) for number in range(6)))
    deadly = Deadly(tmp_path_factory.mktemp("begun"), ATTEMPTS)
    with pytest.raises(ShardError) as failed:
        build_split(warehouse, size=2, spread=deadly)
    assert str(failed.value) == (
        f"the process of shard 1 ended {ATTEMPTS} times without a result (exit code "
        "-9; -9 is often a lack of memory), so nothing was changed; smaller shards "
        "need less memory: [build] shard_size"
    )
    assert warehouse.tables() == before
    assert not (warehouse.root / "shards").exists()


def test_a_shard_without_a_result_fails_the_build(warehouse: Warehouse) -> None:
    class Forgetful(Here):
        def __call__(self, work: Work, numbers: Sequence[int]) -> Iterable[ShardResult]:
            return map(work, numbers[1:])

    with pytest.raises(ShardError, match="of 10 shards 9 have a result"):
        build_split(warehouse, spread=Forgetful())


@pytest.mark.skipif(find_spec("pyspark") is not None, reason="pyspark is there")
def test_spark_without_its_package_is_a_sentence(warehouse: Warehouse) -> None:
    with pytest.raises(ShardError, match=r"run: pip install 'callhouse\[spark\]'"):
        build_split(warehouse, spread=Cluster("local"))
    assert not (warehouse.root / "shards").exists()


def test_a_process_that_does_not_see_a_raw_file_fails_the_build(
    warehouse: Warehouse,
) -> None:
    class Elsewhere(Here):
        def __call__(self, work: Work, numbers: Sequence[int]) -> Iterable[ShardResult]:
            warehouse.raw["bolt"].rename(warehouse.root / "hidden")
            try:
                return [*map(work, numbers)]
            finally:
                (warehouse.root / "hidden").rename(warehouse.raw["bolt"])

    with pytest.raises(ShardError, match=r"versions of records, and .* reads 0 of "):
        build_split(warehouse, spread=Elsewhere())
    assert warehouse.build().reason == "first build"


def test_what_a_killed_build_left_is_deleted(warehouse: Warehouse) -> None:
    left = warehouse.root / "shards" / "old" / "1-a.duckdb"
    left.parent.mkdir(parents=True)
    left.touch()
    assert not shards_of(build_split(warehouse, size=100))
    assert not (warehouse.root / "shards").exists()


def test_accounts_with_an_allowance_are_whole_in_a_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = RateCard(
        *("whippy", "main", "inbound", "telephony", "call"),
        increment=Decimal(60),
        unit_price=Decimal(1),
        currency="USD",
        valid_from=date(2026, 1, 1),
        allowance=Decimal(5),
    )
    accounts = {"whippy": ("main", "second")}
    cards = (card, replace(card, account="second", allowance=Decimal(0)))
    house = RawFiles(tmp_path, accounts=accounts, cards=cards)
    start = TODAY - timedelta(days=30)
    house.load(
        "whippy",
        [
            whippy_call(f"{account}{day}", start + day * DAY, 90, account)
            for account in accounts["whippy"]
            for day in range(20)
        ],
    )
    house.build()
    one = shutil.copyfile(tmp_path / "build.duckdb", tmp_path / "one.duckdb")
    made = watched(monkeypatch)
    house.building = Building(shard_size=4, processes=2)
    house.build(full=True)
    assert differences_of_files(one, tmp_path / "build.duckdb") == []
    assert len(made[0]) == 1 + 20 // 4


def watched(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[int]]:
    """Return a list that gets the numbers of the shards of each build."""
    made: list[Sequence[int]] = []
    plan = shards.plan

    def noting(
        raw: Raw, places: Mapping[str, str], split: Shards, files: Mapping[str, Place]
    ) -> tuple[Job, tuple[int, ...]] | None:
        planned = plan(raw, places, split, files)
        if planned:
            made.append(planned[1])
        return planned

    monkeypatch.setattr(runner.shards, "plan", noting)
    return made


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give fifteen days of all vendors, and the sandbox that they are from."""
    folder = tmp_path_factory.mktemp("nights")
    with open_house(folder, NOW, days=15, volume=12) as house:
        assert house.run("load", "--now", stamp(NOW)).returncode == 0
        yield house


def load(house: House, now: datetime) -> None:
    """Delete calls at their vendors, move some to the month before, load a night."""
    for vendor in ("evovoice", "whippy", "twin", "zoom"):
        calls = house.truth(vendor, now - 2 * DAY, now - DAY)
        first, second = (call["vendor_call_id"] for call in calls[:2])
        control(house.sandbox, "removed", vendor=vendor, ids=[first])
        start = stamp(now - 1.5 * DAY)
        control(house.sandbox, "moved", vendor=vendor, ids=[second], start=start)
    control(house.sandbox, "clock", now=stamp(now))
    done = house.run("load", "--now", stamp(now))
    assert done.returncode == 0, done.stderr


def build_both(house: House, now: datetime, *arguments: str) -> list[str]:
    """Build as one and in shards, from the same state; name what differs."""
    built = house.folder / "warehouse/build.duckdb"
    one, before = house.folder / "one.duckdb", house.folder / "before.duckdb"
    if built.exists():
        shutil.copyfile(built, before)
    for changed in ({}, SPLIT):
        done = house.run("transform", "--now", stamp(now), *arguments, **changed)
        assert done.returncode == 0, done.stderr
        if not changed:
            built.replace(one)
            if before.exists():
                shutil.copyfile(before, built)
    return differences_of_files(one, built)


def test_nights_of_all_vendors_have_the_rows_of_one_build(
    nights: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = watched(monkeypatch)
    assert build_both(nights, NOW) == []
    assert len(made[0]) > 5
    for number in (1, 2):
        load(nights, NOW + number * DAY)
        assert build_both(nights, NOW + number * DAY) == []
    assert len(made) == 3, "each of these nights was built in shards"
    assert len(made[1]) < len(made[0])
    call = nights.query("select max(call_key) from fact_calls where vendor = 'twin'")
    done = nights.run("erase", call[0][0], "--yes", "--now", stamp(NOW + 3 * DAY))
    assert done.returncode == 0, done.stderr
    assert build_both(nights, NOW + 4 * DAY, "--full") == []


@pytest.mark.soak
def test_shards_of_evovoice_by_hash_are_refused_for_they_have_wrong_rows(
    nights: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hash = partial(Shards, key="hash(record_id) % 8")
    monkeypatch.setattr("pipelines.commands.build.Shards", by_hash)
    state = nights.folder / "warehouse/build.duckdb"
    now = stamp(NOW + 5 * DAY)
    assert nights.run("transform", "--full", "--now", now).returncode == 0
    one = shutil.copyfile(state, nights.folder / "one.duckdb")
    refused = nights.run("transform", "--full", "--now", now, **SPLIT)
    assert refused.returncode != 0
    assert differences_of_files(one, state) == []
    monkeypatch.setattr(shards, "_refuse_divided", lambda *_: None)
    assert nights.run("transform", "--full", "--now", now, **SPLIT).returncode == 0
    assert "main.fact_call_costs: rows" in differences_of_files(one, state)
    assert nights.run("transform", "--full", "--now", now).returncode == 0


def test_a_build_that_is_killed_leaves_no_process_and_the_next_cleans_up(
    nights: House,
) -> None:
    state, now = nights.folder / "warehouse/build.duckdb", stamp(NOW + 6 * DAY)
    assert nights.run("transform", "--now", now).returncode == 0
    one = shutil.copyfile(state, nights.folder / "one.duckdb")
    folder = nights.folder / "warehouse/shards"
    process = nights.start("transform", "--full", "--now", now, **SPLIT)
    try:
        ends = time.monotonic() + PATIENCE
        while not [*folder.glob("*/*.duckdb")]:
            assert process.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.01)
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)
    assert [*folder.glob("*/*.duckdb")]
    while any_uses(folder):
        assert time.monotonic() < ends
        time.sleep(0.05)
    assert build_both(nights, NOW + 7 * DAY) == []
    assert one.exists()
    assert not folder.exists()


def any_uses(folder: Path) -> bool:
    """Return True if a process has a file of the folder open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if link.readlink().is_relative_to(folder):
                return True
        except OSError:
            continue
    return False
