"""What analysts read is a whole night or the one before it."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from clients import client
from conftest import House, open_house
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.commands import build
from pipelines.planning.windows import read_time
from pipelines.warehouse.journal import LoadResult, read_runs, write_runs
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.publish import PublishError, publish
from pipelines.warehouse.published_queries import rows_of_sql

NOW = read_time("2026-11-17T03:00:00Z")
OLDEST_STORAGE = 64
"""It is that of DuckDB 0.10 to 1.1, which all later ones read."""
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
    folder = tmp_path_factory.mktemp('a "b"; #c äß [d]* publish')
    with open_house(folder, NOW, days=1, volume=20) as house:
        house.environment["CALLHOUSE__WAREHOUSE"] = str(folder / "warehouse")
        assert house.night(NOW).returncode == 0
        yield house


def test_a_failed_check_leaves_the_published_file_and_prints_the_bad_rows(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(build.MODELS.parent, tmp_path / "transforms")
    models = tmp_path / "transforms" / "models"
    (models / "facts" / "short_calls.check.sql").write_text(BROKEN)
    monkeypatch.setattr(build, "MODELS", models)
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


def test_every_file_has_a_storage_that_older_clients_read(house: House) -> None:
    warehouse = house.published.parent
    files = [*warehouse.glob("raw/*.duckdb"), *warehouse.glob("*.duckdb")]
    assert {house.published, warehouse / "build.duckdb"} < {*files}
    assert {int.from_bytes(path.read_bytes()[12:20], "little") for path in files} == {
        OLDEST_STORAGE
    }


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
        publish(build, Warehouse(tmp_path), NOW + timedelta(days=day), keep=2)
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


CALLS = "select count(*), count(distinct agent), sum(call) from calls order by all"
CHANGES = {
    "delete": "delete from calls where call % 7 = 0",
    "update": "update calls set agent = 'X'",
    "table": "insert into my_tags values ('mine')",
}


def built(folder: Path, day: int) -> Path:
    """Build a file that differs from the day before in its rows and their places."""
    path = folder / "build.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            f"create or replace table calls as select range + {day} as call, "
            f"'agent ' || range % 9 as agent from range({1000 + day})"
        )
        connection.execute(f"create or replace table day as select {day} as day")
    return path


def asked(path: Path, sql: str = CALLS) -> list[tuple[Any, ...]]:
    """Ask as analysts do."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize("is_plain", [True, False], ids=["plain", "link"])
@pytest.mark.parametrize(
    ("change", "ends"),
    [
        *((change, "killed") for change in CHANGES),
        *(("delete", ends) for ends in ("closed", "checkpoint", "late")),
        ("table", "late"),
    ],
)
def test_what_a_client_writes_into_the_old_file_is_not_in_the_new_one(
    tmp_path: Path, change: str, ends: str, *, is_plain: bool
) -> None:
    published = tmp_path / "calls.duckdb"
    if is_plain:  # as earlier versions published, or somebody copied it
        shutil.copy(built(tmp_path, 1), published)
    else:
        publish(built(tmp_path, 1), Warehouse(tmp_path), NOW, keep=2)
    with client(published) as morning:
        morning.ask("create table my_tags (tag varchar)")
        morning.close()
    with client(published) as analyst:
        if ends != "late":  # its log exists before the publish
            assert analyst.ask(CHANGES[change]) != "TransactionException"
        publish(
            built(tmp_path, 2), Warehouse(tmp_path), NOW + timedelta(days=1), keep=2
        )
        analyst.ask(CHANGES[change])
        if ends == "checkpoint":
            analyst.ask("checkpoint")
            analyst.ask(CHANGES[change])
        analyst.close() if ends == "closed" else analyst.kill()
    assert asked(published) == asked(tmp_path / "build.duckdb")
    assert rows_of_sql(published, "from day") == [{"day": 2}]
    publish(built(tmp_path, 3), Warehouse(tmp_path), NOW + timedelta(days=2), keep=2)
    assert asked(published) == asked(tmp_path / "build.duckdb")


def test_a_log_of_a_client_is_neither_believed_nor_given_to_the_next_file(
    tmp_path: Path,
) -> None:
    published = publish(built(tmp_path, 1), Warehouse(tmp_path), NOW, keep=2)
    with client(published) as analyst:
        analyst.ask("delete from calls")
        analyst.kill()
    assert asked(published, "select count(*) from calls") == [(0,)]
    found = rows_of_sql(published, "select count(*) as calls from calls")
    assert found == [{"calls": 1001}]
    publish(built(tmp_path, 2), Warehouse(tmp_path), NOW + timedelta(days=1), keep=2)
    assert asked(published) == asked(tmp_path / "build.duckdb")
    # The log was of that file alone: its backup is as it was published.
    (backup,) = (tmp_path / "snapshots").glob("*.duckdb")
    assert asked(backup, "select count(*) from calls") == [(1001,)]


def test_whatever_lies_under_the_name_of_the_log_is_cleared_away(
    tmp_path: Path,
) -> None:
    log = tmp_path / "calls.duckdb.wal"
    publish(built(tmp_path, 1), Warehouse(tmp_path), NOW, keep=2)
    for day, make in enumerate((Path.mkdir, Path.touch), start=2):
        log.unlink()
        make(log)
        published = publish(built(tmp_path, day), Warehouse(tmp_path), NOW, keep=2)
        assert asked(published, "from day") == [(day,)]
    # DuckDB before 1.5 would make its log here.
    with pytest.raises(FileNotFoundError):
        log.open("wb")


def test_readers_finish_on_the_file_that_they_opened(tmp_path: Path) -> None:
    published = publish(built(tmp_path, 1), Warehouse(tmp_path), NOW, keep=0)
    with client(published, read_only=True) as reader:
        for day in range(2, 6):
            publish(built(tmp_path, day), Warehouse(tmp_path), NOW, keep=0)
            assert reader.ask("from day") == "[(1,)]"
    assert asked(published, "from day") == [(5,)]
    assert len([*Warehouse(tmp_path).published_folder.iterdir()]) == 2


def test_a_copy_that_is_not_what_was_built_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = publish(built(tmp_path, 1), Warehouse(tmp_path), NOW, keep=2)
    old = published.read_bytes()
    monkeypatch.setattr(shutil, "copyfile", lambda _, into: into.write_bytes(old))
    with pytest.raises(PublishError, match="is not what was built"):
        publish(built(tmp_path, 2), Warehouse(tmp_path), NOW, keep=2)
    assert asked(published, "from day") == [(1,)]


def test_a_run_is_in_the_journal_whatever_kind_of_time_it_began_at(
    tmp_path: Path,
) -> None:
    began = read_time("2026-11-17T03:00:00Z")
    failed = LoadResult("", errors=("a check failed",))
    write_runs(Warehouse(tmp_path), began, "build", [failed], has_failed=True)
    (row,) = read_runs(Warehouse(tmp_path)).to_pylist()
    assert (row["started_at"], row["error"]) == (began, "a check failed")
