"""Let single system calls of a night fail, or kill it there: no run is wrong for it.

``python -m harness --system-calls``: strace makes the n-th call of a kind fail, in the
process of the command or of its load, as a bad or full disk would do it: in DuckDB too,
of which Python's audit events tell nothing. A run that meets it is either exact, or
does not end with exit code 0 and says why in a sentence; the next one is exact.
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.history import KILLED, Done
from harness.launch import COMMAND, Planted
from harness.one_night import OneNight, nights_of
from harness.results import read_results, write_results

KILL = "signal=SIGKILL"
WAYS: Mapping[str, Sequence[str]] = {
    "pwrite64": ("error=EIO", "error=ENOSPC", KILL),
    "fdatasync": ("error=EIO", "error=ENOSPC", KILL),
    "fsync": ("error=EIO", "error=ENOSPC", KILL),
    "rename": ("error=EIO", "error=ENOSPC", "error=EROFS", KILL),
    "openat": ("error=EIO", "error=ENOSPC", "error=EROFS"),
    "ftruncate": ("error=EIO", "error=ENOSPC", "error=EROFS"),
    "write": ("error=EIO", "error=ENOSPC", KILL),
    "unlink": ("error=EIO", "error=EROFS", KILL),
}
"""The system calls, and the ways in which each may fail."""
PLACES = (1 / 2, 1, 1 / 4, 3 / 4, 1 / 8, 3 / 8, 5 / 8, 7 / 8)
"""Where in a process the call fails: after this part of its calls of that kind."""


@dataclass(frozen=True)
class Fault:
    """One system call of one process that fails."""

    vendor: str
    place: str
    call: str
    way: str
    when: int
    """Which call: strace counts them for each thread."""

    def __str__(self) -> str:
        return f"{self.vendor}/{self.place}/{self.call}:{self.way}:{self.when}"

    @property
    def options(self) -> Sequence[str]:
        # Not --seccomp-bpf: with it calls were let through without a word.
        injected = f"inject={self.call}:{self.way}:when={self.when}"
        return "-e", f"trace={self.call}", "-e", injected


def calls_in(night: OneNight, place: str) -> Counter[str]:
    """Return how many calls of each kind the busiest thread of a process makes."""
    with tempfile.NamedTemporaryFile() as log, night.copy() as folder:
        options = "-e", f"trace={','.join(WAYS)}", "-o", log.name
        night.run(folder, Planted(trace=(place, options)))
        lines = [line.decode().split(maxsplit=1) for line in log]
    seen = Counter((thread, text.partition("(")[0]) for thread, text in lines)
    most: Counter[str] = Counter()
    for (_, call), count in seen.items():
        if call in WAYS:
            most[call] = max(most[call], count)
    return most


def faults_of(nights: Mapping[str, OneNight]) -> Iterator[Fault]:
    """Yield faults: first one of each kind in each process, then at other places."""
    counted = {
        (vendor, place): calls_in(night, place)
        for vendor, night in nights.items()
        for place in (COMMAND, vendor)
    }
    seen: set[Fault] = set()
    for part in PLACES:
        for (vendor, place), calls in counted.items():
            for call, ways in WAYS.items():
                for way in ways if calls[call] else ():
                    when = max(1, round(part * calls[call]))
                    fault = Fault(vendor, place, call, way, when)
                    if fault not in seen:
                        seen.add(fault)
                        yield fault


def fail(night: OneNight, fault: Fault) -> tuple[bool, int, Sequence[str]]:
    """Run a night with a fault; return if it took effect, the exit code, what is wrong.

    The next run, without the fault, is part of what must be right.
    """
    with tempfile.NamedTemporaryFile() as log, night.copy() as folder:
        options = *fault.options, "-o", log.name
        done = night.run(folder, Planted(trace=(fault.place, options)))
        is_dead = done.code == KILLED or "exit code -9" in done.output
        is_hit = is_dead if fault.way == KILL else b"(INJECTED)" in log.read()
        wrong = [*night.wrong_in(folder, done), *_wrong_words(done, fault)]
        return is_hit, done.code, wrong or night.wrong_next(folder)


def _wrong_words(done: Done, fault: Fault) -> Iterator[str]:
    """Yield what is wrong with how a run ended, and with what it said."""
    if "Traceback" in done.output + done.errors:
        yield f"a traceback: {done.errors}"
    if done.code == KILLED and fault.way == KILL:
        return
    if done.code not in {0, 1, 2, 3}:
        yield f"exit code {done.code}: {done.errors}"
    is_told = "callhouse: " in done.errors or any(
        one["errors"] for one in done.loaded.values()
    )
    if done.code and not is_told:
        yield f"exit code {done.code} without a sentence: {done.errors}{done.output}"


def sweep(vendors: Sequence[str], minutes: float, results: Path) -> int:
    """Try each fault that the results do not have yet; return the exit code."""
    found = read_results(results)
    until = time.monotonic() + 60 * minutes
    with nights_of(vendors) as nights:
        for fault in faults_of(nights):
            if f"{fault}" in found:
                continue
            if time.monotonic() > until:
                break
            is_hit, code, wrong = fail(nights[fault.vendor], fault)
            found[f"{fault}"] = {"hit": is_hit, "code": code, "wrong": [*wrong]}
            write_results(results, found)
            sys.stdout.write(f"{fault}: exit {code}, {wrong or 'recovered'}\n")
            sys.stdout.flush()
    for call in WAYS:
        tried = [one for name, one in found.items() if f"/{call}:" in name]
        hit = [one for one in tried if one["hit"]]
        good = sum(not one["wrong"] for one in hit)
        sys.stdout.write(
            f"{call}: {good} of {len(hit)} recovered, {len(tried)} tried\n"
        )
    return int(any(one["wrong"] for one in found.values()))
