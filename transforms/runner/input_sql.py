"""The relations that models read and no model makes, as SQL over wherever rows are.

A build gives them the records to rebuild, an export all there is; the text is the same.
"""

from collections.abc import Mapping
from pathlib import Path

from transforms.runner.statements import quoted, select, statement, united

LEDGERS: Mapping[str, str] = {
    "raw.load_windows": "load_windows",
    "raw.quarantine": "quarantine",
    "raw.absences": "absences",
    "inputs.loads": "_dlt_loads",
}
"""What models call a ledger, and what the table of a raw file is called."""


def ledger(name: str, places: Mapping[str, str]) -> str:
    """Return the ledgers of the vendors, which are in ``places``, as one."""
    return union(statement(f"ledgers/{LEDGERS[name]}"), places)


def versions(place: str | None, condition: str = "true") -> str:
    """Return the versions that have a payload, of a record table or of none."""
    if place is None:
        return select("no_records")
    return select("versions", table=place, condition=condition)


def stored(places: Mapping[tuple[str, str], str]) -> str:
    """Return every version in the tables of all vendors, deletions among them."""
    parts = [
        select("stored", vendor=quoted(vendor), record=quoted(table), table=place)
        for (vendor, table), place in places.items()
    ]
    return united([select("nothing_stored", no_records=select("no_records")), *parts])


def union(columns: str, places: Mapping[str, str]) -> str:
    """Return the rows of each vendor's place, with the columns of a union's SELECT."""
    parts = [
        select("of_vendor", vendor=quoted(vendor), table=place)
        for vendor, place in places.items()
    ]
    return united([select("typed", columns=f"({columns}\n)"), *parts])


def seed(path: Path) -> str:
    """Return a CSV file's rows, typed by all of them."""
    return f"read_csv({quoted(str(path))}, header = true, sample_size = -1)"
