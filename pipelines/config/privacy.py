"""The section ``[privacy]``: the key of the suppression list, apart from the warehouse.

Without a configured key, the first erasure makes one in ``privacy.key`` beside
``secrets.toml``.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex

from pipelines.config.toml_file import ConfigError, Setting, nearest
from pipelines.warehouse.suppression_list import write_private

SECTION = "privacy"
KEYS = ("key",)
SHORTEST_KEY = 16
"""Characters of a key."""


@dataclass(frozen=True)
class Privacy:
    """Where the key of the suppression list is."""

    key: str | None = field(default=None, repr=False)
    """As configured; None: it is in the file."""
    key_file: Path | None = field(default=None, compare=False)


NO_KEY = Privacy()


def read_privacy(settings: Mapping[tuple[str, ...], Setting], folder: Path) -> Privacy:
    """Return the section; raise `ConfigError` for a key that cannot be used."""
    key = None
    for path, setting in settings.items():
        if path[0] != SECTION:
            continue
        nearest(".".join(path[1:]), KEYS, setting)
        if "config.toml" in setting.place:
            raise ConfigError(
                f"{setting.place}: a key is a secret; move it to secrets.toml"
            )
        key = str(setting.value).strip()
        if len(key) < SHORTEST_KEY:
            raise ConfigError(
                f"{setting.place}: a key has {SHORTEST_KEY} characters or more, chosen "
                "at random, as by: openssl rand -hex 32"
            )
    return Privacy(key, folder / "privacy.key")


def mac_key(privacy: Privacy, *, make: bool = False) -> bytes | None:
    """Return the key of the suppression list; None: there is none.

    With ``make``, one is made if there is none. Raises `ConfigError` for a key file
    that others can read.
    """
    text, path = privacy.key, privacy.key_file
    if text is None and path is not None:
        text = _in_file(path)
        if text is None and make:
            text = _made(path)
    return None if text is None else blake2b(text.encode(), digest_size=32).digest()


def _in_file(path: Path) -> str | None:
    try:
        status = path.stat()
        if status.st_uid != os.geteuid() or status.st_mode & (
            stat.S_IRWXG | stat.S_IRWXO
        ):
            raise ConfigError(
                f"{path} can be read by others; own it, and run: chmod 600 {path}"
            )
        return path.read_text("ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({type(error).__name__})") from None


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
