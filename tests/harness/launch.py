"""Run ``callhouse`` with a kill or a planted bug: ``python -m harness.launch run``.

The processes that load import this module as well, since multiprocessing imports the
main module of their parent; so the environment reaches every process of a run.

HARNESS_KILL: ``command:40`` kills the command, ``twin:40`` the process that loads twin,
at the 40th thing it does to a file or a connection. HARNESS_BUG: the name of one of
`harness.bugs.BUGS`. HARNESS_CHECK=fails: a check fails after rows were lost.
HARNESS_CRASH: ``command`` or a vendor; an unexpected error there quotes every secret.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable

from harness.bugs import BUGS, lose_rows_and_fail

from pipelines.cli.app import main
from pipelines.commands import run  # before the hook: its points are no steps
from pipelines.load import workers

NUMBER = "+12025550123"
WATCHED = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}


def killing_at(last: int) -> Callable[[str, object], None]:
    counted = 0

    def hook(event: str, _: object) -> None:
        nonlocal counted
        if event in WATCHED or event.startswith(("sqlite3.", "socket.connect")):
            counted += 1
            if counted == last:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


def crash(*_: object, **__: object) -> None:
    """Fail as a library might: with what it was given in the text of its error."""
    error: Exception | None = None
    for name, value in os.environ.items():
        if name.startswith("CALLHOUSE__SOURCES__") and "__ACCOUNTS__" in name:
            key = name.rpartition("__")[2].lower()
            texts = (value, repr(value), f"{key}={value!r}", f"https://x/?k={value}")
            for text in (*texts, f"Bearer {value}", NUMBER, f"call {NUMBER[1:]}"):
                found = RuntimeError(text)
                found.__cause__ = error
                error = found
    raise RuntimeError(NUMBER) from error


def prepare() -> None:
    if bug := os.environ.get("HARNESS_BUG"):
        BUGS[bug].plant()
    if os.environ.get("HARNESS_CHECK"):
        lose_rows_and_fail()
    name = multiprocessing.current_process().name
    if crashing := os.environ.get("HARNESS_CRASH"):
        if crashing == "command":
            run.build_and_finish = crash  # type: ignore[assignment]
        elif crashing == name:
            workers.load = crash  # type: ignore[assignment]
    place, _, count = os.environ.get("HARNESS_KILL", "").partition(":")
    if place == {"MainProcess": "command"}.get(name, name):
        sys.addaudithook(killing_at(int(count)))


prepare()
if __name__ == "__main__":
    main()
