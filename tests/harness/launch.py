"""Run ``callhouse`` with a kill or a planted bug: ``python -m harness.launch run``.

The processes that load import this module as well, since multiprocessing imports the
main module of their parent; so the environment reaches every process of a run.

HARNESS_KILL: ``command:40`` kills the command, ``twin:40`` the process that loads twin,
at the 40th thing it does to a file or a connection. HARNESS_BUG: the name of one of
`harness.bugs.BUGS`. HARNESS_CHECK=fails: a check fails after rows were lost.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable

from harness.bugs import BUGS, lose_rows_and_fail

import pipelines.commands.run  # noqa: F401 - before the hook: its points are no steps
from pipelines.cli.app import main

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


def prepare() -> None:
    if bug := os.environ.get("HARNESS_BUG"):
        BUGS[bug].plant()
    if os.environ.get("HARNESS_CHECK"):
        lose_rows_and_fail()
    place, _, count = os.environ.get("HARNESS_KILL", "").partition(":")
    name = multiprocessing.current_process().name
    if place == {"MainProcess": "command"}.get(name, name):
        sys.addaudithook(killing_at(int(count)))


prepare()
if __name__ == "__main__":
    main()
