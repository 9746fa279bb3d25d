"""What analysts read is a whole night or the one before it."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from conftest import House, open_house
from typer.testing import CliRunner

from pipelines import night
from pipelines.cli import app
from pipelines.publish import publish
from pipelines.runs import Run, read_runs, write_runs
from pipelines.windows import read_time

NOW = read_time("2026-11-17T03:00:00Z")
BROKEN = """-- No call is longer than a minute: a check that fails.
select
    call_key,
    total_seconds,
    customer_number
from main.fact_calls
where total_seconds > 60
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(
        tmp_path_factory.mktemp("publish"), NOW, days=2, volume=20
    ) as house:
        assert house.night(NOW).returncode == 0
        yield house


def test_a_failed_check_leaves_the_published_file_and_prints_the_bad_rows(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(night.MODELS.parent, tmp_path / "transforms")
    models = tmp_path / "transforms" / "models"
    (models / "facts" / "short_calls.check.sql").write_text(BROKEN)
    monkeypatch.setattr(night, "MODELS", models)
    monkeypatch.chdir(house.folder)
    before = house.published.stat()
    facts = house.query("select * from fact_calls order by call_key")
    transform = ["transform", "--now", NOW.strftime("%Y-%m-%dT%H:%M:%SZ")]
    result = CliRunner().invoke(app, transform, env=house.environment)
    assert result.exit_code == 3
    assert "a check that fails" in result.stderr
    assert "Nothing was published" in result.stderr
    assert ":main:" in result.stdout
    assert "customer_number" not in result.stdout
    assert house.published.stat().st_ino == before.st_ino
    monkeypatch.undo()
    assert house.run(*transform).returncode == 0
    lineage = house.query("select command, outcome from ops.runs where vendor = ''")
    assert lineage == [("build", "failed")]
    assert house.query("select * from fact_calls order by call_key") == facts


def test_a_build_without_credentials_makes_the_same_calls(house: House) -> None:
    facts = house.query("select * from fact_calls order by call_key")
    bare = {name: "" for name in house.environment if "ACCOUNTS" in name}
    now = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert house.run("transform", "--now", now, **bare).returncode == 0
    assert house.query("select * from fact_calls order by call_key") == facts


def test_the_last_published_files_are_kept(tmp_path: Path) -> None:
    build = tmp_path / "build.duckdb"
    for day in range(5):
        with duckdb.connect(str(build)) as connection:
            connection.execute(f"create or replace table day as select {day} as day")
        publish(build, tmp_path, NOW + timedelta(days=day), keep=2)
    kept = sorted((tmp_path / "snapshots").iterdir())
    assert [path.name for path in kept] == [
        "calls-until-20261120T030000Z.duckdb",
        "calls-until-20261121T030000Z.duckdb",
    ]
    days = []
    for path in (*kept, tmp_path / "calls.duckdb"):
        with duckdb.connect(str(path), read_only=True) as connection:
            days += connection.execute("from day").fetchall()
    assert days == [(2,), (3,), (4,)]


def test_a_run_is_in_the_journal_whatever_kind_of_time_it_began_at(
    tmp_path: Path,
) -> None:
    began = read_time("2026-11-17T03:00:00Z")
    write_runs(tmp_path, [Run(began, "build", "", "failed", error="a check failed")])
    (row,) = read_runs(tmp_path).to_pylist()
    assert (row["started_at"], row["error"]) == (began, "a check failed")
