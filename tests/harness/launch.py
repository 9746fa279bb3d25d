"""Run the real ``callhouse`` as often as a harness does: forked, not started anew.

A server imports once what the command and its loads import (it is multiprocessing's own
forkserver); each command, and each load of it, is a fork of this server. Else most of
a run would be imports. A command can be killed at the n-th step that it, or one
of its loads, takes with a file or a connection, have a system call of its fail, and
have a bug of `harness.bugs`.
"""
# ruff: noqa: ANN401 - multiprocessing's server and our loads take and give anything

import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from harness.bugs import BUGS, lose_rows_and_fail
from patience import PATIENCE

from pipelines.cli.app import main
from pipelines.load import workers

STEPS = {
    *("os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"),
    *("os.truncate", "shutil.rmtree", "socket.connect"),
}
"""What a process does to files and connections, beside opening a file to write it."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
COMMAND, ADDRESS = "command", "_forkserver_address"
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

    kill: tuple[str, int | str] = ("", 0)
    """The process (``command``, or the vendor that it loads), and at which step, or at
    which audit event."""
    counts: Path | None = None
    """A folder, where each process writes how many steps it took."""
    trace: tuple[str, Sequence[str]] = ("", ())
    """The process that strace watches, and with which options."""
    bug: str = ""
    does_check_fail: bool = False

    def plant(self, place: str) -> None:
        if self.bug:
            BUGS[self.bug].plant()
        if self.does_check_fail:
            lose_rows_and_fail()
        if self.trace[0] == place:
            _be_traced(self.trace[1])
        if self.counts or self.kill[0] == place:
            kill_at = self.kill[1] if self.kill[0] == place else 0
            file = self.counts / place if self.counts else Path(os.devnull)
            sys.addaudithook(_counting(file, kill_at))


@dataclass(frozen=True)
class Running:
    """A command that was started, and where it prints."""

    arguments: Sequence[str]
    process: Any
    printed: Path

    def ended(self) -> tuple[int, str, str, int]:
        """Wait; return the exit code (-9: SIGKILL), both outputs, and the peak memory.

        That is MiB of the largest of its processes that was not killed.
        """
        self.process.join(timeout=10 * PATIENCE)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
            raise TimeoutError(f"{self.arguments} does not end")
        output, errors = ((self.printed / f"{one}").read_text() for one in (1, 2))
        peaks = [int(one.read_text() or 0) for one in self.printed.glob("peak-*")]
        shutil.rmtree(self.printed)
        return code, output, errors, max(peaks, default=0) >> 10


def start(
    folder: Path,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    planted: Planted,
) -> Running:
    """Start a command in a folder, with these variables and no others."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*IMPORTED_ONCE])
    forkserver.ensure_running()
    printed = Path(tempfile.mkdtemp())
    process = context.Process(
        target=_command,
        args=(folder, printed, (*arguments,), {**environment}),
        kwargs={"planted": planted, "server": _server().__dict__[ADDRESS]},
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
    server: str,
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number in (1, 2):
        flags = os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(printed / f"{number}", flags, 0o600), number)
    sys.argv = ["callhouse", *arguments]
    # Loads are forked from the same server; else each command starts one of its own.
    _server().__dict__.update({ADDRESS: server, "ensure_running": lambda: None})
    vars(workers)["_load_one"] = partial(_load, planted, printed)
    planted.plant(COMMAND)
    try:
        main()
    finally:
        _note_peak(printed, COMMAND)


def _load(
    planted: Planted,
    printed: Path,
    sending: Any,
    vendor: Any,
    *rest: Any,
    **more: Any,
) -> None:
    planted.plant(vendor.name)
    try:
        vars(workers)["_load_one"](sending, vendor, *rest, **more)
    finally:
        _note_peak(printed, vendor.name)


def _note_peak(printed: Path, place: str) -> None:
    """Write how many KiB this process had at most (on macOS: bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with suppress(FileNotFoundError):  # a load may outlive a command that was killed
        (printed / f"peak-{place}").write_text(f"{peak}")


def _server() -> Any:
    return vars(forkserver)["_forkserver"]


def _counting(count: Path, kill_at: int | str) -> Callable[[str, Any], None]:
    """Return a hook that counts steps into a file, and kills its process at one."""
    file = os.open(count, os.O_WRONLY | os.O_CREAT, 0o600)
    counted = 0

    def hook(event: str, arguments: Any) -> None:
        nonlocal counted
        is_open = event == "open" and (arguments[2] or 0) & WRITES
        if is_open or event in STEPS or event.startswith("sqlite3."):
            counted += 1
            os.pwrite(file, f"{counted}".encode(), 0)
            if counted == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        elif event == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


def _be_traced(options: Sequence[str]) -> None:
    """Let strace watch this process, and return when it does."""
    # Its own standard error would be told as ours.
    command = ["strace", "-qq", "-f", *options, "-p", f"{os.getpid()}"]
    tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until = time.monotonic() + PATIENCE
    while "TracerPid:\t0\n" in Path("/proc/self/status").read_text():
        if tracer.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{' '.join(command)} ended with {tracer.poll()}")
        time.sleep(0.01)
