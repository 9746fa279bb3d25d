"""Run ``callhouse`` and let it fail as nobody expects: ``python -m harness.crash run``.

HARNESS_CRASH: ``command``, or the vendor whose process fails. The error quotes every
credential, and a number. The processes that load import this module as well, since
multiprocessing imports the main module of their parent.
"""

import multiprocessing
import os

from pipelines.cli.app import main
from pipelines.commands import run
from pipelines.load import loader

NUMBER = "+12025550123"


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


if (where := os.environ.get("HARNESS_CRASH")) == "command":
    run.build_and_finish = crash  # type: ignore[assignment]
elif where == multiprocessing.current_process().name:
    loader.load = crash  # type: ignore[assignment]
if __name__ == "__main__":
    main()
