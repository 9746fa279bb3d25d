"""The sandbox vendors as a child process that ends with its parent."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from pipelines.config.toml_file import ConfigError

SEED = 7
VOLUME = 120


class _Ready(msgspec.Struct):
    """The line that the sandbox prints when it serves."""

    url: str
    now: datetime
    environment: dict[str, str]


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox: where it is, its clock, and how to load from it."""

    url: str
    now: datetime
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] = field(repr=False)

    def wait(self) -> None:
        """Wait until somebody stops it."""
        self.process.wait()


@contextmanager
def running_sandbox(
    now: datetime | None = None,
    *,
    port: int = 0,
    seed: int = SEED,
    volume: int = VOLUME,
    accounts: int = 1,
    world: str = "hostile",
) -> Iterator[Sandbox]:
    """Start the sandbox on loopback and stop it at the end, also after a kill.

    ``volume`` is the number of calls a weekday that each vendor has. The ``world`` is
    hostile, with whatever a vendor may get wrong in a record, or friendly.
    """
    command = [sys.executable, "-m", "pipelines.sandbox", "--stop-with-stdin"]
    options = {"port": port, "seed": seed, "volume": volume, "accounts": accounts}
    command += ["--world", world]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    if now is not None:
        command += ["--now", now.isoformat()]
    with subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else b""
            if not line:
                raise ConfigError("the sandbox did not start; its error stands above")
            ready = msgspec.json.decode(line, type=_Ready)
            yield Sandbox(ready.url, ready.now, ready.environment, process)
        finally:
            process.terminate()
