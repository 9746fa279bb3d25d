"""One process of all machines loads a vendor: who is lost loses its turn for good."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import pytest
from conftest import House, differences, open_house
from lakes import InLake, LakeHouse
from patience import PATIENCE
from sandbox_control import stamp

from pipelines.commands.build import clean_lake
from pipelines.planning.windows import read_time
from pipelines.warehouse.ledger import past_reads

NOW = read_time("2026-11-17T03:00:00Z")
LOST = 30.0
"""Seconds in which a holder that nothing is heard of loses its turn."""
HOLD = """
import sys
from pathlib import Path
from pipelines.config.loader import read_config
from pipelines.warehouse.locks import only_one
from pipelines.warehouse.opening import writing

warehouse = read_config(Path("none")).warehouse
with only_one(warehouse.vendor_lock("zoom"), "loading zoom", timeout=60):
    with writing(warehouse.raw("zoom")) as lake:
        lake.execute("create table if not exists main.marks (holder varchar)")
        for step in sys.argv[2:]:
            if step == "wait":
                print("waits", flush=True)
                sys.stdin.readline()
            else:
                lake.execute(step.format(sys.argv[1]))
"""
WRITE = "insert into main.marks values ('{}')"


@contextmanager
def holder(
    place: LakeHouse, name: str, *steps: str, **changed: str
) -> Iterator["subprocess.Popen[str]"]:
    """Start a process that takes the turn of a vendor, on a machine of its own."""
    folder = place.folder / name
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, name, *steps],
        cwd=folder,
        env={**place.environment, **changed},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def await_turn(process: "subprocess.Popen[str]") -> float:
    """Return after how many seconds a process has got its turn."""
    began = time.monotonic()
    assert process.stdout is not None
    assert process.stdout.readline() == "waits\n", process.communicate()
    return time.monotonic() - began


@contextmanager
def in_turn(
    place: LakeHouse, name: str, *steps: str, **changed: str
) -> Iterator["subprocess.Popen[str]"]:
    """Give a process that has its turn."""
    with holder(place, name, *steps, **changed) as process:
        await_turn(process)
        yield process


def end(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Let a process go on to its end; return its exit code and what it said."""
    _, errors = process.communicate("\n", timeout=PATIENCE)
    return process.returncode, errors


def marks(place: LakeHouse) -> list[str]:
    with place.lake("raw_zoom").opened() as lake:
        found = lake.execute("from main.marks order by all").fetchall()
    return [name for (name,) in found]


def test_nobody_commits_without_the_lease(lake_house: LakeHouse) -> None:
    lake = lake_house.lake("raw_zoom")
    with duckdb.connect(config=dict(lake.settings)) as connection:
        lake.attach(connection, "lake", read_only=False)
        with pytest.raises(duckdb.TransactionException, match="the lease raw_zoom"):
            connection.execute("create table lake.main.marks (holder varchar)")
    with holder(lake_house, "one", "wait", WRITE) as one:
        await_turn(one)
        assert end(one) == (0, "")
    assert marks(lake_house) == ["one"]


def test_two_machines_take_turns(lake_house: LakeHouse) -> None:
    with (
        in_turn(lake_house, "one", "wait", WRITE) as one,
        holder(lake_house, "two", "wait", WRITE) as two,
    ):
        assert not select.select([two.stdout], [], [], 12)[0]
        assert end(one) == (0, "")
        await_turn(two)
        code, said = end(two)
        assert code == 0
        assert f"waits for another process (process {one.pid} on " in said
    assert marks(lake_house) == ["one", "two"]


def test_the_turn_of_a_killed_process_is_free_at_once(lake_house: LakeHouse) -> None:
    with (
        in_turn(lake_house, "one", WRITE, "wait", WRITE) as one,
        holder(lake_house, "two", "wait", WRITE) as two,
    ):
        one.kill()
        assert await_turn(two) < LOST / 2
        assert end(two) == (0, "")
    assert marks(lake_house) == ["one", "two"]


@pytest.mark.parametrize("steps", [("wait", WRITE), ("begin", WRITE, "wait", "commit")])
def test_a_stopped_process_loses_its_turn_and_cannot_write_any_more(
    lake_house: LakeHouse, steps: tuple[str, ...]
) -> None:
    with (
        in_turn(lake_house, "one", *steps) as one,
        holder(lake_house, "two", "wait", WRITE) as two,
    ):
        one.send_signal(signal.SIGSTOP)
        assert await_turn(two) < LOST
        one.send_signal(signal.SIGCONT)
        code, said = end(one)
        assert code != 0
        assert "has not, or no longer, the lease raw_zoom" in said
        assert end(two)[0] == 0
    assert marks(lake_house) == ["two"]


def test_a_lake_that_another_process_has_is_left_for_that_one_to_clean(
    lake_house: LakeHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine that was refused a vendor would wait half an hour for its lease."""
    with in_turn(lake_house, "one", WRITE, "wait") as one:
        clean_lake(lake_house.lake("raw_zoom"), 0)
        assert "already going on (process" in capsys.readouterr().err
        assert end(one) == (0, "")
    clean_lake(lake_house.lake("raw_zoom"), 0)
    assert capsys.readouterr().err == ""
    assert marks(lake_house) == ["one"]


MAKES = """
    select 1 from pg_stat_activity
    where state in ('active', 'idle in transaction')
        and query ilike 'create table "callhouse_raw_zoom"%'
"""


def test_who_is_stopped_while_it_makes_a_lake_holds_up_nobody(
    lake_house: LakeHouse,
) -> None:
    with holder(lake_house, "one", WRITE) as one, ExitStack() as later:
        with lake_house.store.session() as session:
            began = time.monotonic()
            while not session.execute(MAKES).fetchall():
                assert time.monotonic() - began < LOST
            one.send_signal(signal.SIGSTOP)
            time.sleep(1)
            assert session.execute(MAKES).fetchall(), "it was made already"
        two = later.enter_context(holder(lake_house, "two", "wait", WRITE))
        assert await_turn(two) < LOST + 5
        one.send_signal(signal.SIGCONT)
        code, said = end(one)
        assert code != 0
        assert "the lease of the lake raw_zoom" in said
        assert end(two)[0] == 0
    assert marks(lake_house) == ["two"]


@dataclass
class Wire:
    """A port through which a machine reaches Postgres, and that can be cut."""

    target: int
    is_cut: threading.Event = field(default_factory=threading.Event)
    sockets: list[socket.socket] = field(default_factory=list)

    @contextmanager
    def open(self) -> Iterator[int]:
        """Give the port."""
        server = socket.create_server(("127.0.0.1", 0))
        self.sockets.append(server)
        threading.Thread(target=self._accept, args=(server,), daemon=True).start()
        yield int(server.getsockname()[1])
        for one in self.sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                self.sockets += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                while self.is_cut.is_set():
                    time.sleep(0.05)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def test_a_machine_that_is_cut_off_loses_its_turn_and_comes_too_late(
    lake_house: LakeHouse,
) -> None:
    wire = Wire(lake_house.postgres.port)
    with (
        wire.open() as port,
        in_turn(
            *(lake_house, "one", "begin", WRITE, "wait", "commit"),
            CALLHOUSE__WAREHOUSE__CATALOG=replace(
                lake_house.postgres, port=port
            ).catalog(lake_house.database),
        ) as one,
        holder(lake_house, "two", "wait", WRITE) as two,
    ):
        wire.is_cut.set()
        assert await_turn(two) < LOST
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
        time.sleep(1)
        wire.is_cut.clear()
        code, said = end(one)
        assert code != 0
        assert "lease raw_zoom" in said or "terminating connection" in said
        assert end(two)[0] == 0
    assert marks(lake_house) == ["two"]


def family(process: int) -> list[int]:
    """Return a process and all that it has started."""
    found = [process]
    for own in found:
        for children in Path(f"/proc/{own}/task").glob("*/children"):
            found += map(int, children.read_text().split())
    return found


def test_no_window_is_lost_or_doubled_by_a_machine_that_stops_in_mid_load(
    lake_house: LakeHouse, tmp_path: Path
) -> None:
    with open_house(tmp_path / "one", NOW, days=4, volume=60) as house:
        one = lake_house.in_lake(house)
        two: House = InLake(
            tmp_path / "two", house.sandbox, one.environment, lake_house
        )
        two.folder.mkdir()
        first = one.start("load", "--now", stamp(NOW))
        lake, began = lake_house.lake("raw_evovoice"), time.monotonic()
        while not lake.exists():
            assert time.monotonic() - began < PATIENCE
            time.sleep(0.1)
        stopped = family(first.pid)
        for process in stopped:
            os.kill(process, signal.SIGSTOP)
        second = two.start("run", "--now", stamp(NOW))
        output, errors = second.communicate(timeout=PATIENCE)
        assert second.returncode == 0, output + errors
        for process in stopped:
            os.kill(process, signal.SIGCONT)
        output, errors = first.communicate(timeout=PATIENCE)
        assert first.returncode == 1, output + errors
        assert "lease" in errors
        assert differences(two, NOW, 4) == []
        reads = past_reads(lake)
        keys = [(read.account, read.stream, read.interval) for read in reads]
        assert len(keys) == len({*keys})
