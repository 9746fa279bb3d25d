"""Files that are gone, empty, cut, foreign, or of another version: no call is lost.

``damaged_files.csv`` says, of each file and damage, what a command answers, and whose
calls are published then.
"""

import csv
import json
import os
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from _pytest.mark import ParameterSet
from click.testing import Result
from conftest import House, copy_of, open_house
from patience import PATIENCE
from sandbox_control import stamp
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.planning.windows import read_time
from pipelines.warehouse import locks
from pipelines.warehouse.locks import LockedError, in_turn, only_one
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.publish import PublishError, folder_mode, publish

NOW = read_time("2026-11-17T03:00:00Z")
VENDORS = ("twin", "whippy")
COUNT = "select vendor, count(*) from fact_calls group by vendor"
STATES = list(
    csv.DictReader(
        Path(__file__).with_name("damaged_files.csv").read_text("utf-8").splitlines()
    )
)


def change(file: Path, sql: str) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute(sql)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])


def spoil(file: Path) -> None:
    """Write over the middle of a file, which opens as ever."""
    whole = file.read_bytes()
    half = len(whole) // 8
    noise = b"\xa5" * (len(whole) - 2 * half)
    file.write_bytes(whole[:half] + noise + whole[len(whole) - half :])


def make_folder(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.mkdir()


def make_link(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.symlink_to(file.parent.parent / "runs.jsonl")


def make_newer(file: Path) -> None:
    if file.parent.name == "raw":
        change(file, "insert into callhouse.layout values (99, 'callhouse 9', now())")
    else:
        change(file, "update ops.build_state set layout = 99, program = 'callhouse 9'")


def leave_log(file: Path) -> None:
    """Kill a program that has written, and damage what it left beside the file."""
    script = (
        "import duckdb, os, sys\n"
        "connection = duckdb.connect(sys.argv[1])\n"
        "connection.execute('create table main.of_a_killed_program as select 1')\n"
        "os._exit(1)"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(file)], check=False, timeout=PATIENCE
    )
    log = file.with_name(f"{file.name}.wal")
    whole = log.read_bytes()
    log.write_bytes(whole[:20] + bytes([whole[20] ^ 255]) + whole[21:])


def empty_with_log(file: Path) -> None:
    leave_log(file)
    file.write_bytes(b"")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "absent": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "empty with a log": empty_with_log,
    "cut": cut,
    "middle": spoil,
    "random": lambda file: file.write_bytes(b"\xff\xfe{]\n" * 5000),
    "folder": make_folder,
    "link": make_link,
    "newer": make_newer,
    "bad log": leave_log,
    "no list of loads": lambda file: change(file, "drop table raw._dlt_loads"),
    "no windows": lambda file: change(file, "drop table raw.load_windows"),
    "no records": lambda file: change(file, "drop table raw.calls"),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a small warehouse that nothing is wrong with, to be copied."""
    folder = tmp_path_factory.mktemp("sound")
    with open_house(folder, NOW, days=2, volume=6) as house:
        chosen = [word for name in VENDORS for word in ("--vendor", name)]
        done = house.night(NOW, *chosen)
        assert done.returncode == 0, done.stderr
        yield house


@pytest.fixture
def house(sound: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.chdir(tmp_path)
    return copy_of(sound, tmp_path)


def run(house: House, *command: str) -> Result:
    clock = {"run", "transform", "load", "doctor", "status"}
    now = ("--now", stamp(NOW)) if command[0] in clock else ()
    done = CliRunner().invoke(app, [*command, *now], env=house.environment)
    assert "Traceback" not in done.output
    assert isinstance(done.exception, SystemExit | None), done.exception
    return done


def calls(house: House) -> dict[str, int]:
    return dict(house.query(COUNT))


def target(house: House, name: str) -> Path:
    """Return the file itself, not the link that leads to it."""
    return (house.folder / "warehouse" / name).resolve()


REPEATED = {"bad log", "empty with a log", "folder", "newer", "no windows", "cut"}
"""Damages of which a command that builds, which is slow, has one file in the suite."""


def damaged(state: dict[str, str]) -> ParameterSet:
    is_repeated = state["file"] == "build.duckdb" or state["damage"] in REPEATED
    is_slow = state["command"].startswith("transform") and state["calls"]
    return pytest.param(
        state,
        id=f"{state['file']}-{state['damage']}-{state['command']}",
        marks=pytest.mark.soak if is_repeated and is_slow else (),
    )


@pytest.mark.parametrize("state", [damaged(one) for one in STATES])
def test_a_damaged_file_is_told_of_and_costs_no_call(
    house: House, sound: House, state: dict[str, str]
) -> None:
    before = calls(sound)
    (call,) = sound.query("select min(call_key) from fact_calls where vendor = 'twin'")
    DAMAGES[state["damage"]](target(house, state["file"]))
    words = [
        word.format(call=call[0], sql="select 1")
        for word in shlex.split(state["command"])
    ]
    done = run(house, *words)
    assert done.exit_code == int(state["exit"]), done.output
    assert state["says"] in " ".join(done.output.split())
    if state["calls"]:
        assert calls(house) == before
    # The first line names the places, always.
    if done.stderr.splitlines()[1:] and not done.exit_code:
        # What can be mended is mended, and told of once.
        again = run(house, "transform")
        assert (again.exit_code, again.stderr.splitlines()[1:]) == (0, [])


RAW = ("raw/twin.duckdb",)
OTHERS = ("build.duckdb", "calls.duckdb", "runs.jsonl", "origin")
FINE = {*(("absent", name) for name in OTHERS), ("empty", "runs.jsonl")}
"""Damages that the next run makes good, or that are none."""


@pytest.mark.parametrize("files", [RAW, OTHERS], ids=["raw", "others"])
def test_the_doctor_names_each_file_with_its_remedy_and_changes_nothing(
    house: House, files: tuple[str, ...]
) -> None:
    whole = {path: path.read_bytes() for path in (target(house, one) for one in files)}
    for damage in ("absent", "empty", "random", "folder"):
        for path in whole:
            DAMAGES[damage](path)
        done = run(house, "doctor", "--json", "--offline")
        listed = json.loads(done.stdout)["files"]
        for file in files:
            (found,) = [one for one in listed if one["file"].endswith(file)]
            assert bool(found["remedy"]) is ((damage, file) not in FINE), found
            if file.startswith("raw/"):
                assert "restore it from a backup" in found["remedy"]
                assert "--vendor twin --from 2026-11-15 --forg" in found["remedy"]
                assert " requests and " in found["remedy"]
        wrong = [file for file in files if (damage, file) not in FINE]
        assert done.exit_code == (1 if wrong else 0)
        for path, content in whole.items():
            assert path.exists() is (damage != "absent")
            if path.is_dir():
                path.rmdir()
            path.write_bytes(content)
    assert run(house, "doctor", "--offline").exit_code == 0


@pytest.mark.soak
def test_a_raw_file_that_lost_its_history_is_refused_until_that_is_said_aloud(
    house: House, sound: House
) -> None:
    before = calls(sound)
    raw = target(house, "raw/twin.duckdb")
    whole = raw.read_bytes()
    raw.unlink()
    environment = {**house.environment, "CALLHOUSE__START": "2026-11-17"}
    young = House(house.folder, house.sandbox, environment)
    done = run(young, "run", "--vendor", "twin")
    assert done.exit_code == 1
    assert "of the loads that its calls were built from" in " ".join(
        done.output.split()
    )
    assert calls(house) == before
    assert run(house, "transform", "--full").exit_code == 1
    assert calls(house) == before
    fresh = raw.read_bytes()
    raw.write_bytes(whole)
    done = run(house, "transform")
    assert (done.exit_code, calls(house)) == (0, before), done.output
    raw.write_bytes(fresh)
    assert run(house, "transform", "--forget-history").exit_code == 0
    assert calls(house)["twin"] < before["twin"]
    assert calls(house)["whippy"] == before["whippy"]
    assert run(house, "transform").exit_code == 0


def test_a_damaged_raw_file_fails_its_vendor_alone_and_is_left_where_it_is(
    house: House, sound: House
) -> None:
    raw = target(house, "raw/twin.duckdb")
    spoil(raw)
    damaged = raw.read_bytes()
    done = run(house, "run", "--json", "--vendor", "twin", "--vendor", "whippy")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    errors = {one["vendor"]: one["errors"] for one in found["loaded"]}
    (sentence,) = errors["twin"]
    assert "raw/twin.duckdb" in sentence
    assert "callhouse doctor" in sentence
    assert errors["whippy"] == []
    assert [*found["kept"]] == ["twin"]
    assert calls(house) == calls(sound)
    assert raw.read_bytes() == damaged


def test_a_first_load_mends_what_a_full_disk_left(house: House, sound: House) -> None:
    warehouse = house.folder / "warehouse"
    for file in [path for path in warehouse.rglob("*") if path.is_file()]:
        file.write_bytes(b"")
    done = run(house, "run", "--vendor", "twin", "--vendor", "whippy")
    assert done.exit_code == 0, done.output
    assert calls(house) == calls(sound)
    assert (warehouse / "origin").read_text() == "vendors\n"


def test_a_torn_journal_keeps_its_whole_lines_and_their_numbers(house: House) -> None:
    journal = house.folder / "warehouse" / "runs.jsonl"
    first, second = journal.read_bytes().splitlines()[:2]
    journal.write_bytes(b"\n".join([first, b'{"started', b"\xff\xfe", second, b'{"st']))
    lines = house.folder / "warehouse" / "runs.jsonl.unreadable"
    done = run(house, "load", "--vendor", "whippy")
    assert "3 lines that cannot be read; now in runs.jsonl.unreadable" in done.stderr
    assert lines.read_bytes() == b'{"started\n\xff\xfe\n{"st\n'
    assert run(house, "transform").exit_code == 0
    assert house.query("select run_no from ops.runs order by all") == [(1,), (4,), (6,)]


def test_files_are_private_except_what_is_published(house: House) -> None:
    new = house.folder / "new"
    environment = {**house.environment, "CALLHOUSE__WAREHOUSE": str(new)}
    other = House(house.folder, house.sandbox, environment)
    before = os.umask(0o022)
    try:
        assert run(other, "load", "--vendor", "twin").exit_code == 0
        for _ in range(2):  # the second leaves a snapshot of the first
            assert run(other, "transform").exit_code == 0
    finally:
        os.umask(before)
    found = {
        path.relative_to(new): stat.S_IMODE(path.stat().st_mode)
        for path in [new, *new.rglob("*")]
        if not path.is_symlink()
    }
    assert len(found) > 10
    for path, mode in found.items():
        is_shared = path.parts[:1] in {(), ("published",), ("snapshots",)}
        expected = 0o640 if is_shared else 0o600
        if (new / path).is_dir():
            expected = folder_mode(expected)
        assert mode == expected, path


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_what_is_published_has_the_mode_that_is_configured(
    tmp_path: Path, mode: int
) -> None:
    change(tmp_path / "build.duckdb", "create table day as select 1 as day")
    (tmp_path / "build.duckdb").chmod(0o600)
    published = publish(
        tmp_path / "build.duckdb", Warehouse(tmp_path), NOW, 1, mode=mode
    )
    folder = published.resolve().parent
    assert stat.S_IMODE(published.stat().st_mode) == mode
    assert {stat.S_IMODE(one.stat().st_mode) for one in (folder, folder.parent)} == {
        {0o600: 0o700, 0o640: 0o750, 0o644: 0o755}[mode]
    }


def test_a_file_that_lies_where_the_copy_is_to_be_made_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(tmp_path / "build.duckdb", "create table day as select 1 as day")
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    made, published = Path.mkdir, Warehouse(tmp_path).published_folder

    def planted(path: Path, *given: Any, **named: Any) -> None:  # noqa: ANN401
        made(path, *given, **named)
        if path.parent == published:
            (path / "calls.duckdb").symlink_to(victim)

    monkeypatch.setattr(Path, "mkdir", planted)
    with pytest.raises(PublishError, match="could not be replaced: File exists"):
        publish(tmp_path / "build.duckdb", Warehouse(tmp_path), NOW, 1)
    assert victim.read_text() == "as it was"


def test_a_wrong_mode_is_refused(house: House) -> None:
    for wrong in ("0666", "rw", "0400", "06400"):
        environment = {**house.environment, "CALLHOUSE__PUBLISHED_MODE": wrong}
        done = run(House(house.folder, house.sandbox, environment), "transform")
        assert done.exit_code == 2
        assert "is not a mode of a file that others only read" in done.stderr


HOLDER = """
import fcntl, os, sys
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(handle, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """Give a lock, and the stopped process that has it."""
    path = tmp_path / "a.lock"
    process: subprocess.Popen[str] = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        process.send_signal(signal.SIGSTOP)
        yield path, process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)


@pytest.mark.parametrize("wait", [in_turn, only_one])
def test_a_wait_for_a_stopped_process_is_told_and_ends(
    stopped: tuple[Path, subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    wait: Any,  # noqa: ANN401 - the two of them take other arguments
) -> None:
    path, process = stopped
    monkeypatch.setattr(locks, "REPORT_AFTER", 0.1)
    monkeypatch.setattr(locks, "STOPPED_TIMEOUT", 0.5)
    what = () if wait is in_turn else ("a run",)
    go_on = f"kill -CONT {process.pid}"
    with (
        pytest.raises(LockedError, match=go_on) as refused,
        wait(path, *what, timeout=3600),
    ):
        pass
    assert f"process {process.pid}, which is stopped" in str(refused.value)
    assert f"waits for another process (process {process.pid}" in capfd.readouterr().err
    process.send_signal(signal.SIGCONT)
    end = "wait until it ends, or stop it"
    with pytest.raises(LockedError, match=end), wait(path, *what, timeout=0.3):
        pass
