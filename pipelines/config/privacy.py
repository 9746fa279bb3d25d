"""The section ``[privacy]``: what is shown of numbers, and how long text is kept.

The key is kept apart from the warehouse. Without a configured one, a file
``privacy.key`` is made beside ``secrets.toml`` when a key is first needed.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from typing import Any

from pipelines.config.toml_file import ConfigError, Setting, nearest
from pipelines.warehouse.number_protection import (
    MODES,
    PLAIN,
    NumberProtection,
    shown_in,
)
from pipelines.warehouse.suppression_list import write_private

SECTION = "privacy"
KEYS = ("phone_numbers", "quarantine_days", "raw_days", "key")
MOST_DAYS = 36_500
SHORTEST_KEY = 16
"""Characters of a key."""


@dataclass(frozen=True)
class Privacy:
    """What is shown of phone numbers, and where the key is."""

    key: str | None = field(default=None, repr=False)
    """As configured; None: it is in the file."""
    key_file: Path | None = field(default=None, compare=False)
    phone_numbers: str = PLAIN
    """One of `MODES`: what the published file shows of them."""
    quarantine_days: float | None = None
    """How long the text of a record in quarantine is kept; None: for ever."""
    raw_days: float | None = None
    """How long the personal data of a call is kept; None: for ever."""


NO_KEY = Privacy()


def read_privacy(settings: Mapping[tuple[str, ...], Setting], folder: Path) -> Privacy:
    """Return the section; raise `ConfigError` for a value that cannot be used."""
    found: dict[str, Any] = {}
    for path, setting in settings.items():
        if path[0] == SECTION:
            name = nearest(".".join(path[1:]), KEYS, setting)
            found[name] = _READERS[name](setting)
    return Privacy(key_file=folder / "privacy.key", **found)


def protection(privacy: Privacy) -> NumberProtection:
    """Return how numbers are protected in the published file; this may make the key."""
    if privacy.phone_numbers == PLAIN:
        return NumberProtection()
    key = mac_key(privacy, make=True)
    if key is None:
        raise ConfigError("[privacy] phone_numbers needs a key; set [privacy] key")
    return NumberProtection(privacy.phone_numbers, key)


def protection_of(privacy: Privacy, published: Path) -> NumberProtection:
    """Return what a file that was published before still lacks of `protection`."""
    is_plain = shown_in(published) == PLAIN
    return protection(privacy) if is_plain else NumberProtection()


def mac_key(privacy: Privacy, *, make: bool = False) -> bytes | None:
    """Return the key; None: there is none.

    With ``make``, one is made if there is none. Raises `ConfigError` for a key file
    that others can read.
    """
    text, path = privacy.key, privacy.key_file
    if text is None and path is not None:
        text = _in_file(path)
        if text is None and make:
            text = _made(path)
    return None if text is None else blake2b(text.encode(), digest_size=32).digest()


def _mode(setting: Setting) -> str:
    if setting.value in MODES:
        return str(setting.value)
    modes = ", ".join(f'"{one}"' for one in MODES)
    raise ConfigError(f"{setting.place}: {setting.value!r} is not one of {modes}")


def _key(setting: Setting) -> str:
    if "config.toml: [" in setting.place:
        raise ConfigError(
            f"{setting.place}: a key is a secret; move it to secrets.toml"
        )
    key = str(setting.value).strip()
    if len(key) < SHORTEST_KEY:
        raise ConfigError(
            f"{setting.place}: a key has {SHORTEST_KEY} characters or more, chosen at "
            "random, as by: openssl rand -hex 32"
        )
    return key


def _days(setting: Setting) -> float:
    try:
        found = float(setting.value)
    except (TypeError, ValueError):
        found = 0.0
    if isinstance(setting.value, bool) or not 0 < found <= MOST_DAYS:
        raise ConfigError(
            f"{setting.place}: write a number of days, more than 0 and at most "
            f"{MOST_DAYS:,}; leave it out to keep everything"
        )
    return found


_READERS = dict(zip(KEYS, (_mode, _days, _days, _key), strict=True))


def _in_file(path: Path) -> str | None:
    try:
        status = path.stat()
        if status.st_uid != os.geteuid() or status.st_mode & (
            stat.S_IRWXG | stat.S_IRWXO
        ):
            raise ConfigError(
                f"{path} can be read by others; own it, and run: chmod 600 {path}"
            )
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({type(error).__name__})") from None
    if len(text) < SHORTEST_KEY:
        raise ConfigError(f"{path} has no key in it; restore it, or delete it")
    return text


def _made(path: Path) -> str:
    """Make a key in a new file, flushed to the disk, and return it."""
    key = token_hex(32)
    try:
        write_private(path, f"{key}\n".encode())
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be made: {error.strerror}; give a key as [privacy] key in "
            "secrets.toml or as CALLHOUSE__PRIVACY__KEY"
        ) from None
    return key
