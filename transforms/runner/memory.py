"""How much memory a program may have here, and what of it DuckDB gets."""

import os
from functools import cache

from transforms.runner.storage import in_memory

_UNITS = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0, "TiB": 1024.0 * 1024}
OF_ALL = 0.8
"""DuckDB's own share, where nobody sets one."""
SMALL = 2048
"""MiB. Here threads would only need more memory."""
ENOUGH = 1024
"""MiB that DuckDB gets for a build at most; what does not fit waits on disk. More is
taken where it is allowed, and makes no build faster."""


@cache
def machine() -> int:
    """Return the MiB of this machine, or of the container that this runs in.

    DuckDB looks at both when it sets its limit.
    """
    with in_memory() as connection:
        query = "select current_setting('memory_limit')"
        ((limit,),) = connection.execute(query).fetchall()
    number, unit = str(limit).split()
    return int(float(number) * _UNITS[unit] / OF_ALL)


def build_settings(processes: int = 1) -> dict[str, str | int]:
    """Return DuckDB's settings for a build: a quarter of the machine, 1 GiB at most.

    So many ``processes`` share that quarter, 1 GiB for each at most, and the threads.
    So the memory of a build does not grow with the history. The interpreter and its
    libraries take 150 MiB, and some of what DuckDB uses it does not count.
    """
    total = machine()
    settings: dict[str, str | int] = {
        "memory_limit": f"{min(total // 4 // processes, ENOUGH)}MiB"
    }
    if total < SMALL:
        settings["threads"] = 1
    elif processes > 1:
        settings["threads"] = max((os.cpu_count() or 1) // processes, 1)
    return settings
