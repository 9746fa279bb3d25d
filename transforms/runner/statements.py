"""The runner's SQL: the files of the folder ``sql``, with their parts put in.

It is the only module that puts text into SQL. What it puts in are names that
`model.py` has checked, literals made by `quoted`, and SELECTs made of these.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "sql"


def statement(name: str, **parts: str) -> str:
    """Return ``sql/<name>.sql``, each ``{part}`` replaced."""
    return _text(name).format(**parts)


def select(name: str, **parts: str) -> str:
    """Return ``sql/<name>.sql`` as `statement` does, in parentheses, as a relation."""
    return f"({statement(name, **parts)}\n)"


def temporary(name: str) -> str:
    """Return where the relation that models call ``name`` is."""
    return f'temp."{name}"'


def stored(vendor: str, table: str) -> str:
    """Return where a table of an attached raw file is."""
    return f'"{vendor}".raw."{table}"'


def quoted(text: str) -> str:
    """Return an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def listed(texts: Iterable[str]) -> str:
    """Return literals for ``in (...)``, where no text is equal to an empty list."""
    return ", ".join(map(quoted, sorted(texts))) or "null"


def united(selects: Iterable[str]) -> str:
    """Return all rows as one relation; what one has no column for is NULL."""
    return "(" + "\nunion all by name\n".join(f"(from {one})" for one in selects) + ")"


@cache
def _text(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text("utf-8").strip()
