"""One module per vendor: how its API is read, and nothing else.

A module is found by being here: its name, its section of the configuration and its raw
file are the same word. It has three parts: `Settings`, what an account can be
configured with; `STREAMS`, what is listed; and `connect`, which returns a
`pipelines.extract.source.Source` for one account.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import ModuleType
from typing import Any

import msgspec

from pipelines.extract.source import Source, SourceSettings
from pipelines.extract.window_reader import DEFAULTS, ReadOptions
from pipelines.planning.stream import Stream

PARTS = ("Settings", "STREAMS", "connect")


class SourceError(Exception):
    """A vendor's module lacks a part; the sentence says which."""


@cache
def vendors() -> tuple[str, ...]:
    """Return the names of all vendors, in order of the alphabet."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__)))


def query(name: str) -> str:
    """Return the text of ``pipelines/sources/queries/<name>.sql``, for a `Stream`."""
    return files(__name__).joinpath("queries", f"{name}.sql").read_text("utf-8")


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
