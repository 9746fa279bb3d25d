"""One module per vendor: how its API is read, and nothing else.

A module is found by being here: its name, its ``@dlt.source`` function, its section
of the configuration and its raw file are the same word.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from importlib.resources import files
from typing import Any

from dlt.extract import DltSource

from pipelines.extract.window_reader import Terms
from pipelines.planning.stream import Stream
from pipelines.planning.windows import Window


def vendors() -> tuple[str, ...]:
    """Return the names of all vendors, in order of the alphabet."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(__path__)))


def query(name: str) -> str:
    """Return the text of ``pipelines/sources/queries/<name>.sql``, for a `Stream`."""
    return files(__name__).joinpath("queries", f"{name}.sql").read_text("utf-8")


def source_of(vendor: str) -> Callable[..., Any]:
    """Return a vendor's source function; its parameters are its configuration."""
    module = importlib.import_module(f"{__name__}.{vendor}")
    source: Callable[..., Any] = getattr(module, vendor)
    return source


def open_source(
    vendor: str,
    account: str,
    settings: Mapping[str, Any],
    windows: Iterable[Window],
    terms: Terms,
) -> DltSource:
    """Return a vendor's source for one account, every parameter told.

    dlt looks for a parameter that is not told in its own configuration, and there
    ``path`` is the environment's PATH.
    """
    source = source_of(vendor)
    defaults = {
        parameter.name: parameter.default
        for parameter in inspect.signature(source).parameters.values()
        if parameter.default is not inspect.Parameter.empty
    }
    told = {"account": account, "windows": list(windows), "terms": terms}
    opened: DltSource = source(**{**defaults, **settings, **told})
    return opened


def default_of(vendor: str, parameter: str) -> Any:  # noqa: ANN401
    """Return what a source takes for a parameter that is not configured."""
    return inspect.signature(source_of(vendor)).parameters[parameter].default


def streams_of(vendor: str) -> tuple[Stream, ...]:
    """Return what a vendor lists, in the order it is read."""
    streams: tuple[Stream, ...] = importlib.import_module(
        f"{__name__}.{vendor}"
    ).STREAMS
    return streams
