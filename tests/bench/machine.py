"""What the figures were measured on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def machine() -> dict[str, str]:
    """Return date, processor, load, memory and versions, by what they are."""
    described = Path("/proc/cpuinfo").read_text().splitlines()
    names = [
        line.partition(":")[2].strip() for line in described if "model name" in line
    ]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": f"{len(os.sched_getaffinity(0))}",
        "processor": names[0] if names else platform.machine(),
        "load average": f"{os.getloadavg()[2]:.1f}",
        "memory": f"{pages / 2**30:.0f} GiB",
        "Python": platform.python_version(),
        **{name: version(name) for name in ("duckdb", "dlt")},
    }
