"""What somebody wrote into the configuration, and where: an error can say so then."""

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any


class ConfigError(Exception):
    """The configuration cannot be used; the sentence says which key, and what to do."""


@dataclass(frozen=True)
class Setting:
    """One value and where it stands, so that an error can say so."""

    value: Any = field(repr=False)
    place: str


def read_toml(path: Path) -> dict[str, Any]:
    """Return a file's tables, numbers with a point exact; raises `ConfigError`."""
    try:
        return tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None


def nearest(key: str, known: Iterable[str], setting: Setting) -> str:
    """Return the key if it is known; else refuse it and name the nearest."""
    names = sorted(known)
    if key in names:
        return key
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
    raise ConfigError(f"{setting.place}: there is no {key!r} here; {hint}")
