"""``callhouse init``: write the credentials of an account into ``secrets.toml``."""

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec

from pipelines.config.loader import ALIAS, read_config
from pipelines.config.model import Account
from pipelines.config.toml_file import ConfigError, Setting, nearest
from pipelines.sources import settings_of, vendors
from pipelines.warehouse.suppression_list import write_private

FILE = "secrets.toml"
SHOWN = frozenset(
    {"account_id", "account_ids", "client_id", "key_id", "username", "email"}
)
"""Credentials that are no secret, and are shown as they are typed."""
LONGEST = 64 * 1024
"""Bytes of a file with a credential."""


def secret_keys(vendor: str) -> tuple[str, ...]:
    """Return the names of the credentials that an account needs."""
    fields = msgspec.structs.fields(settings_of(vendor))
    return tuple(one.name for one in fields if one.required)


def in_file(typed: str) -> str:
    """Return what was typed, or the text of the file that it names as ``@FILE``.

    A key of several lines cannot be typed. Raises `ConfigError` for a file that cannot
    be read.
    """
    if not typed.startswith("@"):
        return typed
    path = Path(typed[1:]).expanduser()
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(LONGEST)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not a text file in UTF-8") from None


def refuse_known(folder: Path, vendor: str, alias: str) -> None:
    """Raise `ConfigError` for an unknown vendor, and for an account that is there."""
    nearest(vendor, vendors(), Setting(vendor, "--vendor"))
    if not ALIAS.fullmatch(alias):
        raise ConfigError(
            f"--account: an account cannot be called {alias!r}; use letters, digits, "
            "_, - and . only"
        )
    for own in read_config(folder).vendors:
        if own.name == vendor and any(one.alias == alias for one in own.accounts):
            raise ConfigError(
                f"{vendor} {alias} is configured already, and stays as it is; change "
                f"it in {folder / FILE}, or name another with --account"
            )
    path = folder / FILE
    if path.exists() and _section(vendor, alias) in path.read_text("utf-8"):
        raise ConfigError(
            f"{path} has a section {_section(vendor, alias)} already; fill it in there"
        )


def write_account(
    folder: Path, vendor: str, alias: str, given: Mapping[str, str]
) -> Path:
    """Add an account to ``secrets.toml``, and return the file's path.

    Only its owner can read it. If it cannot be used with the new section, it is as it
    was, and `ConfigError` is raised.
    """
    path = folder / FILE
    before = path.read_bytes() if path.exists() else None
    lines = [f"{key} = {_quoted(value)}" for key, value in given.items()]
    section = "\n".join([_section(vendor, alias), *lines])
    above = before.decode("utf-8").rstrip() + "\n\n" if before else ""
    try:
        write_private(path, f"{above}{section}\n".encode())
        new_account(folder, vendor, alias)
    except ConfigError:
        if before is None:
            path.unlink()
        else:
            write_private(path, before)
        raise
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}; mend that, or name another "
            "folder with --config"
        ) from None
    return path


def new_account(folder: Path, vendor: str, alias: str) -> Account:
    """Return a configured account; raise `ConfigError` if it cannot be used."""
    found = [
        one
        for own in read_config(folder).vendors
        for one in own.accounts
        if (own.name, one.alias) == (vendor, alias)
    ]
    if not found:
        raise ConfigError(f"{vendor} {alias} lacks a credential; none may be empty")
    return found[0]


def _section(vendor: str, alias: str) -> str:
    # A name with a point in it would be two tables.
    name = json.dumps(alias) if "." in alias else alias
    return f"[sources.{vendor}.accounts.{name}]"


def _quoted(value: str) -> str:
    """Return a text as a TOML string, whose escapes are those of JSON."""
    return json.dumps(value)
