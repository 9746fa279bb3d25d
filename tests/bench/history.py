"""A warehouse with a long past, written straight into its raw file."""

import shutil
from datetime import datetime
from pathlib import Path

from pipelines.warehouse.opening import writing

SQL = Path(__file__).with_suffix(".sql")


def write_history(
    raw: Path, loaded: Path, calls: int, days: int, until: datetime
) -> None:
    """Make a raw file of TWIN with so many calls on so many days before ``until``.

    ``loaded`` is one with fewer calls, that a load wrote: they are multiplied. Nothing
    of it is pending, and every day is closed.
    """
    raw.parent.mkdir(parents=True, exist_ok=True)
    incoming = raw.with_suffix(".incoming")
    shutil.copyfile(loaded, incoming)
    with writing(incoming) as file:
        file.execute("set timezone = 'UTC'")
        for name, value in (("calls", calls), ("days", days), ("until", until)):
            file.execute(f"set variable {name} = $1", [value])
        file.execute(SQL.read_text())
    incoming.replace(raw)
