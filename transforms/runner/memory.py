"""How much memory a program may have here, and what of it DuckDB gets."""

from functools import cache

from transforms.runner.storage import connect

_UNITS = {"KiB": 1 / 1024, "MiB": 1.0, "GiB": 1024.0, "TiB": 1024.0 * 1024}
OF_ALL = 0.8
"""DuckDB's own share, where nobody sets one."""
SMALL = 2048
"""MiB. What has more needs no care."""


@cache
def machine() -> int:
    """Return the MiB of this machine, or of the container that this runs in.

    DuckDB looks at both when it sets its limit.
    """
    with connect() as connection:
        query = "select current_setting('memory_limit')"
        ((limit,),) = connection.execute(query).fetchall()
    number, unit = str(limit).split()
    return int(float(number) * _UNITS[unit] / OF_ALL)


def build_settings() -> dict[str, str | int]:
    """Return DuckDB's settings for a build: on a small machine, a quarter of it.

    The interpreter and its libraries take 150 MiB, and some of what DuckDB uses it
    does not count.
    """
    total = machine()
    return {"memory_limit": f"{total // 4}MiB", "threads": 1} if total < SMALL else {}
