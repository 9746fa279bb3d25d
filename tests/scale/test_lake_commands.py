"""What a lake refuses, what it says, and what nobody can read through it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import open_house
from lakes import SECRETS, InLake, LakeHouse, Postgres, place_for_lakes
from sandbox_control import stamp

from pipelines.planning.windows import read_time

NOW = read_time("2026-11-17T03:00:00Z")
PREFIX = "CALLHOUSE__WAREHOUSE__"


@pytest.fixture(scope="module")
def house(
    postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[InLake]:
    """Give a small warehouse in a lake, which no test here changes."""
    folder = tmp_path_factory.mktemp("commands")
    with (
        open_house(folder, NOW, days=1, volume=4) as house,
        place_for_lakes(postgres, folder) as place,
    ):
        lake = place.in_lake(house)
        done = lake.run("run", "--now", stamp(NOW))
        assert done.returncode == 0, done.stderr
        yield lake


def test_what_only_files_can_do_is_refused_and_changes_nothing(house: InLake) -> None:
    before = house.place.snapshots()
    for command in (
        ("backup", "b"),
        ("restore", "b"),
        ("shell",),
        ("export", "dbt", "d"),
    ):
        done = house.run(*command)
        assert done.returncode == 2, command
        assert "is for a warehouse of files, and this one is a lake" in done.stderr
        assert done.stderr.count("\n") <= 2, done.stderr
    masked = house.run("status", CALLHOUSE__PRIVACY__PHONE_NUMBERS="masked")
    assert "is for a warehouse of files" in masked.stderr
    assert house.place.snapshots() == before
    assert not (house.folder / "b").exists()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("from read_csv('/etc/hostname')", "disabled by configuration"),
        ("select count(*) from read_parquet('{raw}/*/*/*.parquet')", "Cannot access"),
        ("from duckdb_secrets()", "redacted"),
        (
            "from postgres_execute('__ducklake_metadata_calls', 'create table x()')",
            "read-only transaction",
        ),
    ],
)
def test_a_query_reads_the_tables_alone_and_changes_nothing(
    house: InLake, sql: str, said: str
) -> None:
    before = house.place.snapshots()
    raw = Path(house.place.data, "raw_zoom/raw")
    assert any(raw.rglob("*.parquet"))
    done = house.run("query", sql.format(raw=raw))
    assert said in done.stdout + done.stderr
    assert house.place.snapshots() == before
    assert not [one for one in SECRETS if one in done.stdout + done.stderr]


@pytest.mark.parametrize(
    "changed",
    [
        {"PASSWORD": "canary-that-is-wrong"},
        {"CATALOG": "host=127.0.0.1 port=1 dbname=calls user=lake"},
        {"DATA": "/proc/nowhere"},
    ],
)
@pytest.mark.parametrize(
    "command", [("status",), ("transform",), ("query", "select 1"), ("load",)]
)
def test_a_lake_that_cannot_be_reached_is_one_sentence_without_a_secret(
    house: InLake, changed: dict[str, str], command: tuple[str, ...]
) -> None:
    own = {f"{PREFIX}{key}": value for key, value in changed.items()}
    done = house.run(*command, **own)
    if command[0] in {"status", "query"} and "DATA" in changed:
        return  # what is in Postgres can be read
    assert done.returncode in {1, 2, 3, 5}, done.stderr
    assert "cannot be used" in done.stderr
    said = done.stdout + done.stderr
    assert not [one for one in (*SECRETS, "canary-that-is-wrong") if one in said]
    assert "unexpected" not in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"CATALOG": "host=127.0.0.1 password=canary-x"}, "a password is a secret"),
        ({"CATALOG": "nonsense"}, "not what libpq reads"),
        ({"CATALOG": "host=db.example user=x"}, "others could read"),
        ({"CATALOG": ""}, "a lake needs it, such as catalog"),
        ({"DATA": ""}, "a lake needs it, such as data"),
        ({"DATA": "s3://calls"}, "S3 needs"),
        ({"S3_URL": "http://s3.example"}, "plain http"),
        ({"KIND": "pond"}, "Invalid enum value 'pond'"),
        ({"KINDS": "lake"}, "did you mean 'kind'?"),
    ],
)
def test_a_wrong_section_is_told_with_its_key(
    lake_house: LakeHouse, tmp_path: Path, changed: dict[str, str], said: str
) -> None:
    from pipelines.config.loader import read_config  # noqa: PLC0415
    from pipelines.config.toml_file import ConfigError  # noqa: PLC0415

    own = {f"{PREFIX}{key}": value for key, value in changed.items()}
    with pytest.raises(ConfigError) as error:
        read_config(tmp_path, {**lake_house.environment, **own})
    assert said in str(error.value)
    assert "canary" not in str(error.value)
    assert PREFIX in str(error.value) or "[warehouse]" in str(error.value)


def test_an_encrypted_connection_to_another_host_is_taken(
    lake_house: LakeHouse, tmp_path: Path
) -> None:
    from pipelines.config.loader import read_config  # noqa: PLC0415

    own = {f"{PREFIX}CATALOG": "host=db.example user=x sslmode=verify-full"}
    lake = read_config(tmp_path, {**lake_house.environment, **own}).warehouse.lake
    assert lake is not None
    assert not [one for one in SECRETS if one in repr(lake)]
