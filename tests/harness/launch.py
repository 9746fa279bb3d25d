"""Run the real ``callhouse`` as often as a harness does: forked, not started anew.

A server imports once what the command and its loads import (it is multiprocessing's own
forkserver); each command, and each load of it, is a fork of this server. Else most of
a run would be imports. A command can be killed at the n-th thing that it, or one of
its loads, does to a file or a connection, and can have a bug of `harness.bugs`.
"""
# ruff: noqa: ANN401 - multiprocessing's server and our loads take and give anything

import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from harness.bugs import BUGS, lose_rows_and_fail
from patience import PATIENCE

from pipelines.cli.app import main
from pipelines.load import workers

WATCHED = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}
COMMAND = "command"
IMPORTED_ONCE = (
    "harness.launch",
    "pipelines.cli.command_steps",
    "pipelines.cli.run_view",
    "pipelines.commands.doctor",
    "pipelines.commands.run",
    *workers.IMPORTED_ONCE,
)


@dataclass(frozen=True)
class Planted:
    """What is wrong with a command, beside what happens to its vendors."""

    kill: tuple[str, int] | None = None
    """The process (``command``, or the vendor that it loads), and at which event."""
    bug: str = ""
    does_check_fail: bool = False

    def plant(self, place: str) -> None:
        if self.bug:
            BUGS[self.bug].plant()
        if self.does_check_fail:
            lose_rows_and_fail()
        if self.kill and self.kill[0] == place:
            sys.addaudithook(_killing_at(self.kill[1]))


@dataclass(frozen=True)
class Running:
    """A command that was started, and where it prints."""

    arguments: Sequence[str]
    process: Any
    printed: Path

    def ended(self) -> tuple[int, str, str]:
        """Wait, and return the exit code and both outputs; -9 is SIGKILL."""
        self.process.join(timeout=10 * PATIENCE)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
            raise TimeoutError(f"{self.arguments} does not end")
        output, errors = (
            self.printed.with_suffix(f".{number}").read_text() for number in (1, 2)
        )
        for number in (1, 2):
            self.printed.with_suffix(f".{number}").unlink()
        return code, output, errors


def server() -> int:
    """Return the process id of the server that all commands are forked from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*IMPORTED_ONCE])
    forkserver.ensure_running()
    pid: int = _server_of_this().__dict__["_forkserver_pid"]
    return pid


def start(
    folder: Path,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    planted: Planted,
) -> Running:
    """Start a command in a folder, with these variables and no others."""
    server()
    handle, name = tempfile.mkstemp(prefix="printed-")
    os.close(handle)
    printed = Path(name)
    printed.unlink()
    address = _server_of_this().__dict__["_forkserver_address"]
    process = multiprocessing.get_context("forkserver").Process(
        target=_command,
        args=(folder, printed, (*arguments,), {**environment}),
        kwargs={"planted": planted, "address": address},
        name=COMMAND,
    )
    process.start()
    return Running(arguments, process, printed)


def _command(
    folder: Path,
    printed: Path,
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    *,
    planted: Planted,
    address: str,
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number in (1, 2):
        flags = os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(printed.with_suffix(f".{number}"), flags), number)
    sys.argv = ["callhouse", *arguments]
    # Loads are forked from the same server; else each command starts one of its own.
    _server_of_this().__dict__.update(
        _forkserver_address=address, ensure_running=lambda: None
    )
    vars(workers)["_load_one"] = partial(_load, planted)
    planted.plant(COMMAND)
    main()


def _load(planted: Planted, sending: Any, vendor: Any, *rest: Any, **more: Any) -> None:
    planted.plant(vendor.name)
    vars(workers)["_load_one"](sending, vendor, *rest, **more)


def _server_of_this() -> Any:
    return vars(forkserver)["_forkserver"]


def _killing_at(last: int) -> Callable[[str, object], None]:
    counted = 0

    def hook(event: str, _: object) -> None:
        nonlocal counted
        if event in WATCHED or event.startswith(("sqlite3.", "socket.connect")):
            counted += 1
            if counted == last:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook
