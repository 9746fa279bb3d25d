"""One module per vendor: how its API is read, and nothing else.

A module is found by being here: its name, its ``@dlt.source`` function, its section
of the configuration and its raw file are the same word.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

from pipelines.stream import Stream


def vendors() -> tuple[str, ...]:
    """Return the names of all vendors, in order of the alphabet."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__)))


def source_of(vendor: str) -> Callable[..., Any]:
    """Return a vendor's source function; its parameters are its configuration."""
    module = importlib.import_module(f"{__name__}.{vendor}")
    source: Callable[..., Any] = getattr(module, vendor)
    return source


def default_of(vendor: str, parameter: str) -> Any:  # noqa: ANN401
    """Return what a source takes for a parameter that is not configured."""
    return inspect.signature(source_of(vendor)).parameters[parameter].default


def streams_of(vendor: str) -> tuple[Stream, ...]:
    """Return what a vendor lists, in the order it is read."""
    streams: tuple[Stream, ...] = importlib.import_module(
        f"{__name__}.{vendor}"
    ).STREAMS
    return streams
