"""One module per vendor: how its API is read, and nothing else.

A module is found by being here: its name, its section of the configuration and its raw
file are the same word. It has three parts: `Settings`, what an account can be
configured with; `STREAMS`, what is listed; and `connect`, which returns a
`pipelines.extract.source.Source` for one account.
"""

import csv
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import ModuleType
from typing import Any

import msgspec

from pipelines.extract.source import Source, SourceSettings
from pipelines.extract.window_reader import DEFAULTS, ReadOptions
from pipelines.planning.stream import Stream

PARTS = ("Settings", "STREAMS", "connect")


@dataclass(frozen=True)
class DocumentedField:
    """A field of a vendor's record, as ``calls[].cost``, and what becomes of it."""

    record: str
    """The raw table."""
    path: str
    lands: str
    """Columns of published tables, or ``unused:`` and the reason."""

    @property
    def unused(self) -> str | None:
        """Why it feeds no column; None if it does."""
        head, mark, reason = self.lands.partition("unused: ")
        return reason if mark and not head else None


class SourceError(Exception):
    """A vendor's module lacks a part; the sentence says which."""


@cache
def vendors() -> tuple[str, ...]:
    """Return the names of all vendors, in order of the alphabet."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__)))


def query(name: str) -> str:
    """Return the text of ``pipelines/sources/queries/<name>.sql``, for a `Stream`."""
    return files(__name__).joinpath("queries", f"{name}.sql").read_text("utf-8")


def documented_fields(vendor: str) -> tuple[DocumentedField, ...]:
    """Return the fields that a vendor documents, from ``<vendor>.fields.csv``.

    Raises `SourceError` for a file that is missing or has other columns.
    """
    file = files(__name__).joinpath(f"{vendor}.fields.csv")
    if not file.is_file():
        raise SourceError(
            f"pipelines/sources/{vendor}.fields.csv is missing; list in it the fields "
            "that the vendor documents, as docs/add-a-vendor.md shows"
        )
    rows = csv.DictReader(file.read_text("utf-8").splitlines())
    if rows.fieldnames != ["table", "path", "lands"]:
        raise SourceError(
            f"pipelines/sources/{vendor}.fields.csv: the columns must be "
            "table,path,lands"
        )
    return tuple(
        DocumentedField(row["table"], row["path"], row["lands"]) for row in rows
    )


def streams_of(vendor: str) -> tuple[Stream, ...]:
    """Return what a vendor lists, in the order it is read."""
    streams: tuple[Stream, ...] = _module(vendor).STREAMS
    return streams


def settings_of(vendor: str) -> type[SourceSettings]:
    """Return the class of what an account of a vendor can be configured with."""
    settings: type[SourceSettings] = _module(vendor).Settings
    return settings


def connect(
    vendor: str,
    settings: SourceSettings | Mapping[str, Any],
    options: ReadOptions = DEFAULTS,
) -> Source:
    """Return the source of one account of a vendor; nothing is asked yet.

    Settings as a mapping are checked; msgspec's `ValidationError` names the key.
    """
    if not isinstance(settings, SourceSettings):
        settings = msgspec.convert(settings, settings_of(vendor))
    source: Source = _module(vendor).connect(settings, options)
    return source


@cache
def _module(vendor: str) -> ModuleType:
    module = importlib.import_module(f"{__name__}.{vendor}")
    for part in PARTS:
        if not hasattr(module, part):
            raise SourceError(
                f"pipelines/sources/{vendor}.py has no {part}; a source has "
                f"{', '.join(PARTS)}, as docs/add-a-vendor.md says"
            )
    return module
