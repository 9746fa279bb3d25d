"""A file that somebody else has open, or that is damaged, is one sentence."""

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from click.testing import Result
from clients import client
from conftest import House, open_house
from sandbox_control import stamp
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.planning.windows import DAY, read_time

NOW = read_time("2026-11-17T03:00:00Z")
VENDORS = ("--vendor", "twin", "--vendor", "whippy")
COMMANDS = [
    ["query", "select 1"],
    ["status", "--json"],
    ["explain", "twin:main:1"],
    ["verify", "--vendor", "twin"],
]
NEWER = b"\0" * 8 + b"DUCK" + (10**6).to_bytes(8, "little") + b"\0" * 16_000


def next_storage(folder: Path) -> bytes:
    """Return the newest file that DuckDB writes, of one version more in its headers."""
    path = folder / "next.duckdb"
    with duckdb.connect() as connection:
        connection.execute(f"attach '{path}' as next (storage_version 'latest')")
    content = bytearray(path.read_bytes())
    for header in (4096, 8192):
        content[header + 56 : header + 64] = (10**6).to_bytes(8, "little")
    return bytes(content)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("opening")
    with open_house(folder, NOW, days=1, volume=10) as house:
        assert house.night(NOW, *VENDORS).returncode == 0
        yield house


@pytest.fixture(autouse=True)
def inside(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(house.folder)


def run(house: House, *command: str) -> Result:
    return CliRunner().invoke(app, command, env=house.environment)


def refusal(house: House, *command: str) -> str:
    """Run a command that must be refused; return its sentence."""
    done = run(house, *command)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    *places, sentence = done.stderr.splitlines()
    assert len(places) <= 1, "where the configuration and the warehouse are"
    return sentence


def publish_again(house: House, now: datetime = NOW) -> None:
    done = run(house, "transform", "--now", stamp(now))
    assert done.exit_code == 0, done.output


def test_a_published_file_that_is_open_for_writing_is_told_of_with_its_holder(
    house: House,
) -> None:
    with client(house.published) as tool:
        for command in COMMANDS:
            sentence = refusal(house, *command)
            assert "calls.duckdb, the published file, is open in process " in sentence
            assert f"process {tool.process.pid} (python" in sentence
            assert "read-only, as the README shows" in sentence
        publish_again(house)
        # The tool has the file of before, which nobody else opens any more.
        assert run(house, "query", "select 1").exit_code == 0


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty; publish it again with: callhouse transform"),
        (b"PK\3\4" * 9000, "is not a DuckDB file; publish it again"),
        (NEWER, "was written by a newer DuckDB than the "),
        (None, "cannot be read (IOException), so it is damaged, or its disk fails; "),
    ],
    ids=["empty", "foreign", "newer", "cut"],
)
def test_a_published_file_that_cannot_be_read_is_told_of_and_published_again(
    house: House, content: bytes | None, expected: str
) -> None:
    whole = house.published.read_bytes()
    house.published.write_bytes(whole[:9000] if content is None else content)
    for command in COMMANDS:
        assert expected in refusal(house, *command)
    publish_again(house)
    assert house.query("select count(*) from fact_calls") > [(0,)]


def test_a_published_file_of_the_next_version_of_storage_is_newer(
    house: House, tmp_path: Path
) -> None:
    house.published.write_bytes(next_storage(tmp_path))
    for command in COMMANDS:
        assert "was written by a newer DuckDB than the " in refusal(house, *command)
    publish_again(house)


def test_a_published_file_of_another_version_is_told_of(
    house: House, tmp_path: Path
) -> None:
    with client(tmp_path / "other.duckdb") as other:
        other.ask("create table fact_calls as select 1 as call_key")
        other.close()
    shutil.copy(tmp_path / "other.duckdb", house.published)
    sentence = refusal(house, "status")
    assert "was built by an older callhouse" in sentence
    assert "run: callhouse transform" in sentence
    publish_again(house)
    assert run(house, "status").exit_code in {0, 1}


@pytest.mark.soak
@pytest.mark.parametrize("read_only", [True, False], ids=["reads", "writes"])
def test_a_raw_file_that_is_open_elsewhere_fails_its_vendor_alone(
    house: House, *, read_only: bool
) -> None:
    now = NOW + (1 if read_only else 2) * DAY
    house.post("clock", {"now": stamp(now)})
    raw = house.folder / "warehouse" / "raw" / "whippy.duckdb"
    with client(raw, read_only=read_only) as tool:
        done = house.run("load", *VENDORS, "--now", stamp(now))
        assert done.returncode == 1
        told = " ".join(done.stderr.split())
        assert f"{raw.relative_to(house.folder)}, a vendor's raw file, is open" in told
        assert f"in process {tool.process.pid} (python" in told
        assert "close it there; the next run goes on" in told
        assert "Traceback" not in told
        if read_only:
            publish_again(house, now)
        else:
            before = house.query("select count(*) from fact_calls")
            kept = run(house, "transform", "--now", stamp(now))
            assert kept.exit_code == 1
            assert f"process {tool.process.pid} " in kept.stderr
            assert "whippy keeps the calls it had" in kept.stderr
            assert house.query("select count(*) from fact_calls") >= before
    done = house.run("load", *VENDORS, "--now", stamp(now))
    assert done.returncode == 0, done.stderr
