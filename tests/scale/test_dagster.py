"""Callhouse in Dagster: its assets are the ledger's days and the build's tables."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import ModuleType
from typing import Any, TypeAlias
from unittest.mock import patch

import pytest
from conftest import VENDORS, House, open_house
from patience import PATIENCE

from transforms.runner.checks import CheckFailed

dg = pytest.importorskip("dagster", reason="is in the environment of make test-dagster")

Dagster: TypeAlias = Any
"""What a library that is not in this environment returns."""
FIRST, LAST = 5, 3
"""Days ago that a range begins and ends."""
MOST = 60_000
"""Milliseconds that a part of the page may take to appear."""
WINDOWS = """
    select stream, window_start::date::text, count(*) from ops.load_windows
    where vendor = 'twin' and purpose = 'backfill' group by all order by all
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("dagster")
    now = datetime.now(UTC).replace(microsecond=0)
    with open_house(folder, now, days=3, volume=8) as house:
        places = {"CALLHOUSE__WAREHOUSE": f"{folder / 'warehouse'}"}
        environment = {**house.environment, **places, "DAGSTER_HOME": f"{folder}"}
        house.environment.update(environment)
        with patch.dict(os.environ, environment):
            yield house


@pytest.fixture(scope="module")
def assets(house: House) -> ModuleType:
    """Give the module, which reads the configuration when it is imported."""
    assert house.sandbox.url
    return import_module("pipelines.cli.dagster_assets")


@pytest.fixture(scope="module")
def instance(house: House) -> Iterator[Dagster]:
    (house.folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.get() as instance:
        yield instance


def day(ago: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=ago):%Y-%m-%d}"


def named(assets: ModuleType, name: str) -> Dagster:
    return next(one for one in assets.defs.assets if one.op.name == name)


@pytest.fixture(scope="module")
def ranged(assets: ModuleType, instance: Dagster) -> Dagster:
    """Give what one run of a range made, as a backfill in the UI starts it."""
    range_of_days = {"start": day(FIRST), "end": day(LAST)}
    tags = {
        f"dagster/asset_partition_range_{end}": at for end, at in range_of_days.items()
    }
    return dg.materialize(
        [named(assets, "load_twin")], instance=instance, tags=tags, raise_on_error=False
    )


@pytest.fixture(scope="module")
def built(assets: ModuleType, instance: Dagster, ranged: Dagster) -> Dagster:
    assert ranged.success
    return dg.materialize([named(assets, "build")], instance=instance)


def test_a_range_is_one_backfill_of_exactly_its_days_and_one_build_follows(
    house: House, assets: ModuleType, instance: Dagster, built: Dagster
) -> None:
    assert built.success
    days = [day(ago) for ago in range(FIRST, LAST - 1, -1)]
    streams = [key.path[1] for key in named(assets, "load_twin").keys]
    assert {*house.query(WINDOWS)} == {(one, at, 1) for one in streams for at in days}
    for key in named(assets, "load_twin").keys:
        assert instance.get_materialized_partitions(key) == {*days}
    builds = "select count(*) from ops.runs where command = 'backfill'"
    assert house.query(builds) == [(1,)]


def test_every_table_is_an_asset_with_its_check_and_its_rows(
    house: House, built: Dagster
) -> None:
    made = built.asset_materializations_for_node("build")
    rows = {one.asset_key.path[-1]: one.metadata["rows"].value for one in made}
    assert house.query("select count(*) from fact_calls") == [(rows["fact_calls"],)]
    checks = built.get_asset_check_evaluations()
    assert all(one.passed for one in checks)
    assert {one.asset_key for one in checks} == {one.asset_key for one in made}
    stored = "select table_name from duckdb_tables() where schema_name = 'main'"
    assert {name for (name,) in house.query(stored)} <= rows.keys()


def test_the_daily_job_is_a_run_and_the_sensor_tells_of_its_days_once(
    house: House, assets: ModuleType, instance: Dagster, built: Dagster
) -> None:
    assert built.success
    job = assets.defs.resolve_job_def("daily")
    assert job.execute_in_process(instance=instance).success
    ((runs,),) = house.query("select count(*) from ops.runs where command = 'load'")
    assert runs == len(VENDORS)
    sensor = assets.defs.resolve_sensor_def("ledger")
    told = sensor(dg.build_sensor_context(instance=instance))
    found = {(*one.asset_key.path, one.partition) for one in told.asset_events}
    complete = house.query(
        "select vendor, stream, day::text from ops.coverage_streams "
        "where state = 'complete'"
    )
    assert found == {*complete}
    again = sensor(dg.build_sensor_context(instance=instance, cursor=told.cursor))
    assert again.asset_events == []
    (verdict,) = assets.all_is_in().metadata.values()
    assert "All in" in verdict.text


def test_a_load_that_fails_is_a_failure_with_the_vendors_sentence(
    assets: ModuleType,
) -> None:
    wrong = {"CALLHOUSE__SOURCES__TWIN__ACCOUNTS__MAIN__PASSWORD": "canary"}
    range_of_days = {"start": day(9), "end": day(8)}
    tags = {
        f"dagster/asset_partition_range_{end}": at for end, at in range_of_days.items()
    }
    with patch.dict(os.environ, wrong), pytest.raises(dg.Failure) as failed:
        dg.materialize([named(assets, "load_twin")], tags=tags)
    assert "refused the credentials (HTTP 401); check them" in failed.value.description
    assert "canary" not in failed.value.description
    others = {key: own for key, own in os.environ.items() if "SOURCES__TWIN" not in key}
    alone = patch.dict(os.environ, others, clear=True)
    with alone, pytest.raises(dg.Failure) as failed:
        dg.materialize([named(assets, "load_twin")], tags=tags)
    assert "twin is not configured any more" in failed.value.description


def test_rows_that_break_a_check_fail_the_check_of_their_table(
    assets: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = CheckFailed("main.dim_dates", "unique date", "One row per day", [], 2)

    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr(assets, "build_and_finish", broken)
    done = dg.materialize([named(assets, "build")], raise_on_error=False)
    assert not done.success
    (failed,) = done.get_asset_check_evaluations()
    assert (failed.asset_key.path, failed.passed) == (["main", "dim_dates"], False)
    assert failed.metadata["rows"].value == 2
    assert done.asset_materializations_for_node("build") == []


def test_its_page_shows_the_assets(house: House) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    if (chromium := shutil.which("chromium")) is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1"),
            *("-p", f"{port}", "-m", "pipelines.cli.dagster_assets"),
        ],
        cwd=house.folder,
        env={**os.environ, **house.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with playwright.sync_playwright() as engine:
            browser = engine.chromium.launch(
                executable_path=chromium, args=["--no-sandbox"]
            )
            page = browser.new_page()
            limit = time.monotonic() + PATIENCE
            while True:
                try:
                    page.goto(f"http://127.0.0.1:{port}/assets/twin/created_calls")
                    break
                except playwright.Error:
                    assert time.monotonic() < limit
                    assert server.poll() is None
                    time.sleep(0.5)
            page.get_by_text("Partitions").first.click(timeout=MOST)
            page.get_by_text(day(LAST)).first.wait_for(timeout=MOST)
            if shown := os.environ.get("CALLHOUSE_SCREENSHOT"):
                page.screenshot(path=shown)
            page.goto(f"http://127.0.0.1:{port}/assets/main/fact_calls")
            described = page.get_by_text("One row per customer interaction")
            described.first.wait_for(timeout=MOST)
    finally:
        server.terminate()
        server.wait(PATIENCE)
