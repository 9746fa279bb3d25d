"""Run a command, and measure it with every process that it starts, however it ends.

``python tree.py RESULT COMMAND...`` writes into the file RESULT what the whole process
tree took. It is a program of its own, because it adopts what outlives its parent (a
fork server and its children do) and waits for it, and the bench has children beside.
Linux alone can do that. What it sees not: the time of a child whose parent has told the
kernel to forget its children (SIGCHLD ignored).
"""

import ctypes
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

PR_SET_CHILD_SUBREAPER = 36
SAMPLED = 0.1
"""Seconds between two looks at the memory."""


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    cpu: float
    """Seconds, user and system, of all its processes."""
    wall: float
    """Seconds until the command itself ended."""
    peak: float
    """MiB of all its processes at the same time; what they share is counted once."""


def measured(
    command: Sequence[object],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Cost:
    """Return what a command took; raise `RuntimeError` if it fails, with its words."""
    with TemporaryDirectory() as place:
        result = Path(place, "result.json")
        done = subprocess.run(
            [sys.executable, __file__, str(result), *map(str, command)],
            env={**os.environ, **(environment or {})},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            words = done.stdout.decode(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{words}")
        return Cost(**json.loads(result.read_text()))


def _descendants(ancestor: int) -> Iterator[int]:
    for thread in Path(f"/proc/{ancestor}/task").glob("*/children"):
        with suppress(OSError):  # it ended meanwhile
            for child in map(int, thread.read_text().split()):
                yield child
                yield from _descendants(child)


def _kibibytes(process: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _main() -> int:
    result, *command = sys.argv[1:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    peak = 0
    has_ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not has_ended.wait(SAMPLED):
            peak = max(peak, sum(map(_kibibytes, _descendants(os.getpid()))))

    began = time.monotonic()
    child = os.posix_spawnp(command[0], command, os.environ)
    threading.Thread(target=watch, daemon=True).start()
    code, wall = 0, 0.0
    with suppress(ChildProcessError):  # none is left
        while True:
            process, status = os.wait()
            if process == child:
                code, wall = os.waitstatus_to_exitcode(status), time.monotonic() - began
    has_ended.set()
    took = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = {"cpu": took.ru_utime + took.ru_stime, "wall": wall, "peak": peak / 1024}
    Path(result).write_text(json.dumps(cost))
    return code


if __name__ == "__main__":
    sys.exit(_main())
