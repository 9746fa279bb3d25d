"""Read TOML, and name the place of a value in an error about it."""

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any


class ConfigError(Exception):
    """The configuration cannot be used; the sentence names the key and the remedy."""


@dataclass(frozen=True)
class Setting:
    """A value and its place, such as "config/config.toml: [callhouse] start"."""

    value: Any = field(repr=False)
    place: str


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file; numbers with a point are Decimal.

    Raises `ConfigError` for a file that is not valid TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None


def nearest(key: str, known: Iterable[str], setting: Setting) -> str:
    """Return a known key; raise `ConfigError` with the nearest one for another."""
    names = sorted(known)
    if key in names:
        return key
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
    raise ConfigError(f"{setting.place}: there is no {key!r} here; {hint}")
