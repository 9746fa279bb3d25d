"""Shards on a real Spark of this machine, one of its two workers killed."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyspark
import pytest
from comparing import differences_of_files
from conftest import House, open_house
from patience import PATIENCE
from sandbox_control import control, stamp

from pipelines.planning.windows import DAY, read_time

NOW = read_time("2026-11-03T03:00:00Z")
SPARK = Path(pyspark.__file__).parent
ALONE = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_NO_DAEMONIZE": "1"}
"""Of every process of Spark: nothing listens to others than this machine."""


@dataclass
class Sparks:
    """A standalone master and its workers, each a process."""

    folder: Path
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def master(self) -> str:
        return f"spark://127.0.0.1:{self.port}"

    def start(self, name: str, kind: str, *arguments: str) -> None:
        log = (self.folder / f"{name}.log").open("wb")
        environment = {
            **{
                key: os.environ[key]
                for key in ("PATH", "JAVA_HOME")
                if key in os.environ
            },
            **ALONE,
            "HOME": str(self.folder),
            "SPARK_HOME": str(SPARK),
            "SPARK_LOG_DIR": str(self.folder),
        }
        command = [str(SPARK / "bin/spark-class"), f"org.apache.spark.deploy.{kind}"]
        with log:
            self.processes[name] = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--webui-port", "0", *arguments],
                env=environment,
                stdout=log,
                stderr=log,
            )

    def start_worker(self, name: str) -> None:
        folder, log = self.folder / name, self.folder / f"{name}.log"
        self.start(
            *(name, "worker.Worker", "--cores", "1", "--memory", "1g"),
            *("-d", str(folder), self.master),
        )
        ends = time.monotonic() + PATIENCE
        while b"Successfully registered" not in log.read_bytes():
            assert time.monotonic() < ends, log.read_text()
            assert self.processes[name].poll() is None, log.read_text()
            time.sleep(0.1)

    def kill(self, name: str) -> None:
        """Kill a worker at once, with its executors and their Python."""
        for process in [*descendants(self.processes[name].pid)]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self.processes.pop(name).wait(timeout=PATIENCE)

    def stop(self) -> None:
        for name in [*self.processes]:
            self.kill(name)


def descendants(process: int) -> Iterator[int]:
    yield process
    for thread in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, thread.read_text().split()):
                yield from descendants(child)


@pytest.fixture(scope="module")
def sparks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sparks]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with ExitStack() as stack:
        own = Sparks(tmp_path_factory.mktemp("spark"), port)
        stack.callback(own.stop)
        own.start("master", "master.Master", "--port", str(port))
        for name in ("first", "second"):
            own.start_worker(name)
        yield own


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give fifteen days of all vendors; some of them are of another month."""
    with open_house(tmp_path_factory.mktemp("n"), NOW, days=15, volume=12) as house:
        assert house.run("load", "--now", stamp(NOW)).returncode == 0
        yield house


@contextmanager
def built_before(house: House, now: datetime, *arguments: str) -> Iterator[Path]:
    """Build as one; give the file of it, and let the block build it once more."""
    built = house.folder / "warehouse/build.duckdb"
    one, before = house.folder / "one.duckdb", house.folder / "before.duckdb"
    if built.exists():
        shutil.copyfile(built, before)
    done = house.run("transform", "--now", stamp(now), *arguments)
    assert done.returncode == 0, done.stderr
    built.replace(one)
    if before.exists():
        shutil.copyfile(before, built)
    yield one


def build(
    house: House, sparks: Sparks, now: datetime, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Build on Spark; PYSPARK_PYTHON is set by the build itself."""
    done = house.run_apart(
        *("transform", "--now", stamp(now), "--profile", *arguments),
        **ALONE,
        CALLHOUSE__BUILD__SHARD_SIZE="60",
        CALLHOUSE__BUILD__SPARK=sparks.master,
    )
    sys.stderr.write(done.stderr)
    return done


def kill_after(house: House, sparks: Sparks, shards: int) -> threading.Thread:
    """Kill the second worker when so many shards have begun."""
    folder = house.folder / "warehouse/shards"

    def kill() -> None:
        ends = time.monotonic() + PATIENCE
        while len([*folder.glob("*/*.duckdb")]) < shards and time.monotonic() < ends:
            time.sleep(0.02)
        sparks.kill("second")

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def test_a_full_build_has_the_tables_of_one_process_though_a_worker_is_killed(
    nights: House, sparks: Sparks
) -> None:
    built = nights.folder / "warehouse/build.duckdb"
    with built_before(nights, NOW) as one:
        thread = kill_after(nights, sparks, 3)
        try:
            done = build(nights, sparks, NOW)
        finally:
            thread.join()
        assert done.returncode == 0
        assert done.stdout.count("shard ") > 6
        assert differences_of_files(one, built) == []
    assert not (nights.folder / "warehouse/shards").exists()
    sparks.start_worker("second")


def test_an_incremental_build_sends_only_what_changed(
    nights: House, sparks: Sparks
) -> None:
    built, now = nights.folder / "warehouse/build.duckdb", NOW + DAY
    if not built.exists():
        assert build(nights, sparks, NOW).returncode == 0
    for vendor in ("evovoice", "whippy", "twin", "zoom"):
        calls = nights.truth(vendor, now - 2 * DAY, now - DAY)
        first, second = (call["vendor_call_id"] for call in calls[:2])
        control(nights.sandbox, "removed", vendor=vendor, ids=[first])
        start = stamp(now - 4 * DAY)  # in the month before
        control(nights.sandbox, "moved", vendor=vendor, ids=[second], start=start)
    control(nights.sandbox, "clock", now=stamp(now))
    assert nights.run("load", "--now", stamp(now)).returncode == 0
    with built_before(nights, now) as one:
        done = build(nights, sparks, now)
        assert done.returncode == 0
        assert done.stdout.startswith("built (what changed)")
        assert done.stdout.count("shard ") > 1
        assert differences_of_files(one, built) == []


def test_a_spark_that_is_not_there_is_a_sentence_and_changes_nothing(
    nights: House, sparks: Sparks
) -> None:
    built, now = nights.folder / "warehouse/build.duckdb", NOW + 2 * DAY
    nights.run("transform", "--now", stamp(now))
    before = shutil.copyfile(built, nights.folder / "before.duckdb")
    done = nights.run_apart(
        *("transform", "--full", "--now", stamp(now)),
        **ALONE,
        CALLHOUSE__BUILD__SHARD_SIZE="60",
        CALLHOUSE__BUILD__SPARK="spark://127.0.0.1:1",
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    says = "Spark at spark://127.0.0.1:1 could not build the shards, so nothing was"
    assert says in done.stderr
    assert differences_of_files(before, built) == []
    assert sparks.processes
