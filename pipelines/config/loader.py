"""Read the configuration, two TOML files and the environment, into typed values.

``config.toml`` has what may be shown, ``secrets.toml`` has the credentials. Variables
named ``CALLHOUSE__SOURCES__<VENDOR>__<KEY>`` override both. The keys of a vendor are
the fields of its source's `Settings`. Any other key is an error with the nearest key
in it, because a misspelt key would silently have no effect.
"""

import grp
import os
import pwd
import re
import stat
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from phonenumbers import SUPPORTED_REGIONS

from pipelines.config.building import SECTION as BUILD
from pipelines.config.building import Building
from pipelines.config.cost_centers import COST_CENTERS, read_cost_centers
from pipelines.config.fx_rates import CURRENCY, FX_RATES
from pipelines.config.invoices import INVOICES, read_invoices
from pipelines.config.lake import LAKE, WarehouseKind, lake_store, refuse_on_lake
from pipelines.config.lake import SECTION as WAREHOUSE
from pipelines.config.model import FINALITY_HORIZON, Account, Config, Vendor
from pipelines.config.operation import SECTIONS as OPERATION
from pipelines.config.operation import read_operation
from pipelines.config.privacy import SECTION as PRIVACY
from pipelines.config.privacy import read_privacy
from pipelines.config.rate_cards import RateCard, read_rate_cards
from pipelines.config.report import Report
from pipelines.config.toml_file import ConfigError, Setting, nearest, read_toml
from pipelines.extract.address import trouble_with
from pipelines.extract.source import ZeroOrMore
from pipelines.sources import settings_of, vendors
from pipelines.warehouse.number_protection import PLAIN
from pipelines.warehouse.paths import Warehouse
from transforms.runner.storage import in_memory

PREFIX = "CALLHOUSE__"
REPORT = "report"
DEFAULT_ALIAS = "main"
ACCOUNT_KEYS: Mapping[str, Any] = {
    **dict.fromkeys(("currency", "time_zone", "region", "decimal_separator"), str)
}
_Days = Annotated[float, msgspec.Meta(ge=0)]
VENDOR_KEYS: Mapping[str, Any] = {"lookback_days": _Days, "settle_days": _Days}
MOST, MOST_DAYS = 10**9, 36_500
"""A larger number is a mistake, and a date that many days away does not exist."""
MOST_OF_A_PAGE = 10_000
DAYS = frozenset({"history_days", "lookback_days", "settle_days", "days"})
SECTIONS = (BUILD, PRIVACY, REPORT, WAREHOUSE, *OPERATION)
"""Sections beside `[callhouse]` and those of the vendors."""
CURRENCIES = frozenset({"currency", "reporting_currency"})
UNUSABLE = frozenset("'%?=")
"""Characters to which dlt gives a meaning of its own in a path."""
SENT_IN_HEADERS = frozenset({"api_key"})
"""Settings that are sent in an HTTP header, which can only have ASCII."""
ALIAS = re.compile(r"[\w.-]+")
"""The name of an account. The key of a call is ``vendor:account:id``, so a name with a
colon could give two calls one key."""


@dataclass(frozen=True)
class _General:
    """The section ``[callhouse]``."""

    start: date | None = None
    history_days: int = 30
    warehouse: str = "warehouse"
    reporting_time_zone: str = "UTC"
    reporting_currency: str = "USD"
    service_level_seconds: int = 20
    min_contained_seconds: ZeroOrMore = 10
    short_abandon_seconds: ZeroOrMore = 5
    keep_snapshots: ZeroOrMore = 3
    published_mode: str = "0640"


_Settings = dict[tuple[str, ...], Setting]


def read_config(
    folder: Path = Path("config"), environment: Mapping[str, str] = os.environ
) -> Config:
    """Read the configuration of a folder; a vendor without credentials is left out.

    Raises `ConfigError` for an unknown key, a value of the wrong type, incomplete
    credentials, and files that other users can read or write.
    """
    settings: _Settings = {}
    for name in ("config.toml", "secrets.toml"):
        if (folder / name).exists():
            settings |= _file(folder / name)
    settings |= _environment(environment)
    general = _general(settings)
    section = _vendors(settings)
    configured = tuple(one for one in map(section, vendors()) if one.accounts)
    aliases = {one.name: [own.alias for own in one.accounts] for one in configured}
    cards = read_rate_cards(folder / "rate_cards.toml", aliases)
    storage = WarehouseKind(**_given(settings, WAREHOUSE, WarehouseKind))
    lake = lake_store(storage, settings)
    root = _warehouse(settings, general.warehouse)
    warehouse = Warehouse(root, lake if storage.kind == LAKE else None)
    privacy = read_privacy(settings, folder)
    if privacy.phone_numbers != PLAIN:
        what = f'[{PRIVACY}] phone_numbers = "{privacy.phone_numbers}"'
        refuse_on_lake(warehouse, what, "nothing is copied there to be protected")
    return Config(
        warehouse=warehouse,
        lake=lake,
        vendors=tuple(_with_allowances(one, cards) for one in configured),
        start=general.start,
        history_days=general.history_days,
        reporting_time_zone=general.reporting_time_zone,
        reporting_currency=general.reporting_currency,
        service_level_seconds=general.service_level_seconds,
        min_contained_seconds=general.min_contained_seconds,
        short_abandon_seconds=general.short_abandon_seconds,
        keep_snapshots=general.keep_snapshots,
        published_mode=_mode(settings, general.published_mode),
        rate_cards=cards,
        cost_centers=read_cost_centers(folder / COST_CENTERS),
        invoices=read_invoices(folder / INVOICES),
        privacy=privacy,
        operation=read_operation(settings),
        report=Report(**_given(settings, REPORT, Report)),
        building=Building(**_given(settings, BUILD, Building)),
        fx_rates=folder / FX_RATES,
    )


def _with_allowances(vendor: Vendor, cards: Sequence[RateCard]) -> Vendor:
    """Return a vendor whose accounts know whether a card of theirs has an allowance."""
    shared = {
        one.account for one in cards if one.vendor == vendor.name and one.allowance
    }
    accounts = (
        replace(one, has_allowance=one.alias in shared) for one in vendor.accounts
    )
    return replace(vendor, accounts=tuple(accounts))


def config_folder(named: Path | None, own: Path) -> Path:
    """Return the absolute path of the configuration folder.

    That is the named one, else ``config`` in the working directory, else ``own``, the
    user's. If none exists it is ``config``: all may come from the environment. Raises
    `ConfigError` for a named folder that does not exist.
    """
    if named is not None:
        if not named.is_dir():
            what = "is not a folder" if named.exists() else "does not exist"
            raise ConfigError(
                f"--config, or CALLHOUSE_CONFIG: {named.absolute()} {what}; name the "
                "folder of config.toml and secrets.toml"
            )
        return named.absolute()
    here = Path("config").absolute()
    return own if own.is_dir() and not here.is_dir() else here


def _file(path: Path) -> _Settings:
    """Read a TOML file; raise `ConfigError` if another user could have written it.

    Whoever can write it can send the credentials to an address of their own.
    """
    status = path.stat()
    if path.name == "secrets.toml":
        if status.st_uid != os.geteuid():
            owner = f"user {status.st_uid}"
            raise ConfigError(
                f"{path} belongs to {owner}, not to the user who runs this; own it"
            )
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(f"{path} can be read by others; run: chmod 600 {path}")
    for one in (path.parent, path):
        if _others_can_write(one.stat()):
            raise ConfigError(
                f"{one} can be written by others, who could have your credentials sent "
                f"to an address of theirs; run: chmod go-w {one}"
            )
    return dict(_flatten(read_toml(path), str(path), ()))


def _others_can_write(status: os.stat_result) -> bool:
    """Return True if users other than the owner can write a file or folder.

    A group with the name of the owner and without members is the owner alone.
    """
    if not status.st_mode & stat.S_IWGRP:
        return bool(status.st_mode & stat.S_IWOTH)
    try:
        owner, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return True
    is_private = owner.pw_name == group.gr_name and not group.gr_mem
    return not is_private or bool(status.st_mode & stat.S_IWOTH)


def _flatten(
    table: Mapping[str, Any], place: str, above: tuple[str, ...]
) -> Iterable[tuple[tuple[str, ...], Setting]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, place, (*above, key))
        else:
            section = ".".join(above)
            yield (*above, key), Setting(value, f"{place}: [{section}] {key}")


def _environment(environment: Mapping[str, str]) -> _Settings:
    found: _Settings = {}
    for name, value in environment.items():
        if name.startswith(PREFIX):
            path = tuple(name.removeprefix(PREFIX).lower().split("__"))
            is_section = path[0] in {*SECTIONS, "sources"}
            if path == (WAREHOUSE,):  # also a key of [callhouse]: its folder
                is_section = False
            if len(path) > 1 and not is_section:
                _refuse_section(name, path)
            full = path if is_section else ("callhouse", *path)
            found[full] = Setting(value, f"environment: {name}")
    return found


def _refuse_section(name: str, path: Sequence[str]) -> None:
    """Raise `ConfigError` for a variable that names no section."""
    known = ["sources", *SECTIONS]
    near = get_close_matches(path[0], known, n=1, cutoff=0.5)
    part = "sources__" if path[0] in vendors() else ""
    parts = [*([path[0]] if part else near or ["sources"]), *path[1:]]
    whole = f"{PREFIX}{part}{'__'.join(parts)}".upper()
    raise ConfigError(f"environment: {name}: no section is meant; is it {whole}?")


def _general(settings: _Settings) -> _General:
    for path, setting in settings.items():
        nearest(path[0], ("callhouse", *SECTIONS, "sources"), setting)
    general = _General(**_given(settings, "callhouse", _General))
    if general.reporting_time_zone not in _time_zones():
        zone = general.reporting_time_zone
        raise ConfigError(
            f"{settings['callhouse', 'reporting_time_zone'].place}: {zone!r} is not "
            "a time zone; use a name such as Europe/Berlin"
        )
    return general


def _given(settings: _Settings, section: str, kind: type) -> dict[str, Any]:
    """Return the values of a section, by the fields of the dataclass that it fills."""
    kinds = get_type_hints(kind, include_extras=True)
    given = {}
    for path, setting in settings.items():
        if path[0] == section:
            key = nearest(".".join(path[1:]), kinds, setting)
            given[key] = _typed(setting, kinds[key], key)
    return given


def _mode(settings: _Settings, text: str) -> int:
    """Return the mode of the published file, from octal digits as in chmod."""
    if re.fullmatch(r"0?6[04][04]", text):
        return int(text, 8)
    setting = settings.get(("callhouse", "published_mode"))
    place = setting.place if setting else "[callhouse] published_mode"
    raise ConfigError(
        f"{place}: {text!r} is not a mode of a file that others only read; write "
        '"0600", "0640" or "0644"'
    )


def _warehouse(settings: _Settings, text: str) -> Path:
    """Return the folder of the warehouse.

    Raises `ConfigError` for a character that dlt or DuckDB cannot have in a path.
    """
    setting = settings.get(("callhouse", "warehouse"))
    place = setting.place if setting else "[callhouse] warehouse"
    try:
        path = Path(text).expanduser()
        whole = str(path.absolute())
        whole.encode()
    except (RuntimeError, UnicodeEncodeError, FileNotFoundError):
        raise ConfigError(
            f"{place}: {text!r} cannot be used as a folder; write its whole path, in "
            "UTF-8"
        ) from None
    for one in whole:
        if one in UNUSABLE or unicodedata.category(one) == "Cc":
            raise ConfigError(
                f"{place}: the path {whole!r} has the character {one!r}, with which "
                "dlt cannot load into a file; name a folder without it"
            )
    # DuckDB takes what stands before a colon for the name of an extension.
    return Path(whole) if ":" in text else path


def _vendors(settings: _Settings) -> Any:  # noqa: ANN401
    """Return a function from the name of a vendor to its section; check all names."""
    sections: dict[str, _Settings] = {name: {} for name in vendors()}
    for path, setting in settings.items():
        if path[0] == "sources":
            name = nearest(path[1] if len(path) > 1 else "", sections, setting)
            sections[name][path[2:]] = setting
    return lambda name: _vendor(name, sections[name])


def _vendor(name: str, section: _Settings) -> Vendor:
    fields = msgspec.structs.fields(settings_of(name))
    kinds = {one.name: one.type for one in fields}
    needed = [one.name for one in fields if one.required]
    shared: dict[str, Any] = {}
    aliases: dict[str, dict[str, Any]] = {}
    for path, setting in section.items():
        if path[:1] == ("accounts",) and len(path) == 3:  # noqa: PLR2004
            _refuse_alias(path[1], setting)
            key = nearest(path[2], {**kinds, **ACCOUNT_KEYS}, setting)
            kind = {**kinds, **ACCOUNT_KEYS}[key]
            aliases.setdefault(path[1], {})[key] = _typed(setting, kind, key)
        else:
            known = {**kinds, **ACCOUNT_KEYS, **VENDOR_KEYS}
            key = nearest(".".join(path), known, setting)
            shared[key] = _typed(setting, known[key], key)
    lookback, settle = (shared.pop(key, None) for key in VENDOR_KEYS)
    if not aliases and any(key in shared for key in needed):
        aliases = {DEFAULT_ALIAS: {}}
    accounts = (
        _account(name, alias, {**shared, **own}, needed)
        for alias, own in sorted(aliases.items())
    )
    return Vendor(
        name,
        tuple(account for account in accounts if account is not None),
        None if lookback is None else timedelta(days=lookback),
        FINALITY_HORIZON if settle is None else timedelta(days=settle),
    )


def _refuse_alias(alias: str, setting: Setting) -> None:
    if not ALIAS.fullmatch(alias):
        raise ConfigError(
            f"{setting.place}: an account cannot be called {alias!r}, for its name is "
            "a part of the keys of its calls; use letters, digits, _, - and . only"
        )


def _account(
    vendor: str, alias: str, given: dict[str, Any], needed: list[str]
) -> Account | None:
    own = {key: given.pop(key, None) for key in ACCOUNT_KEYS}
    missing = [key for key in needed if not given.get(key)]
    if len(missing) == len(needed):
        return None
    if missing:
        where = f"sources.{vendor}.accounts.{alias}"
        names = (f"{PREFIX}{where}.{key}".replace(".", "__").upper() for key in missing)
        raise ConfigError(
            f"{vendor} is half configured: account {alias!r} lacks "
            f"{', '.join(missing)}; set it in config/secrets.toml under [{where}] or "
            f"as {', '.join(names)}"
        )
    return Account(vendor, alias, settings_of(vendor)(**given), **own)


@cache
def _time_zones() -> frozenset[str]:
    """Return the names of time zones that DuckDB knows, which the models use."""
    with in_memory() as connection:
        zones = connection.table_function("pg_timezone_names").project("name")
        return frozenset(name for (name,) in zones.fetchall())


def _text(place: str, key: str, text: str) -> str:
    """Return a text without the line end that a paste or a mounted secret has.

    Raises `ConfigError`, without the text: it may be a secret.
    """
    if key.endswith("_url") and (trouble := trouble_with(text)):
        raise ConfigError(f"{place}: {key} {trouble}")
    if key == "path" and not re.fullmatch(r"/[^\s?#\\]*", text):
        raise ConfigError(f"{place}: {key} must begin with / and have no ?, # or space")
    text = text.strip("\r\n") if key == "password" else text.strip()
    if key == "private_key":
        return text
    if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", text):
        raise ConfigError(
            f"{place}: {key} has a line break or another control character in it; "
            "copy it again"
        )
    if key in SENT_IN_HEADERS and not text.isascii():
        raise ConfigError(
            f"{place}: {key} has a character in it that no such key has; copy it again"
        )
    return text


def _typed(setting: Setting, kind: Any, key: str) -> Any:  # noqa: ANN401
    value = setting.value
    if isinstance(value, Decimal):
        value = float(value)
    kind, *bounds = get_args(kind) if get_origin(kind) is Annotated else [kind]
    try:
        found = msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        # msgspec names types, never the value: it may be a secret.
        how = "; write a day, as 2026-01-31" if key == "start" else ""
        raise ConfigError(f"{setting.place}: {error}{how}") from None
    if isinstance(found, str):
        found = _text(setting.place, key, found)
    if key == "time_zone" and found not in _time_zones():
        raise ConfigError(
            f"{setting.place}: {found!r} is not an IANA time zone; write one like "
            "Europe/Berlin"
        )
    if key == "region" and found not in SUPPORTED_REGIONS:
        near = get_close_matches(found.upper(), [*SUPPORTED_REGIONS], 1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(
            f"{setting.place}: {found!r} is not a region; write ISO 3166-1 alpha-2, DE"
            f"{hint}"
        )
    if key == "decimal_separator" and found not in {".", ","}:
        raise ConfigError(
            f"{setting.place}: {found!r} is not a decimal separator; write '.' or ','"
        )
    if key in CURRENCIES and not CURRENCY.fullmatch(found):
        raise ConfigError(
            f"{setting.place}: {found!r} is not a currency; write its ISO 4217 code, "
            "such as 'USD'"
        )
    if isinstance(found, int | float) and not isinstance(found, bool):
        _check_number(setting, key, found, bounds)
    return found


def _check_number(
    setting: Setting, key: str, found: float, bounds: Sequence[msgspec.Meta]
) -> None:
    """Raise `ConfigError` for a number out of its bounds, which a vendor may set."""
    may_be_zero = any(one.ge == 0 for one in bounds)
    if not (found > 0 or (found == 0 and may_be_zero)):
        least = "0 or more" if may_be_zero else "more than 0"
        raise ConfigError(f"{setting.place}: {key} must be {least}")
    most = next(
        (one.le for one in bounds if one.le is not None),
        MOST_DAYS if key in DAYS else MOST_OF_A_PAGE if key == "page_size" else MOST,
    )
    if found > most:
        raise ConfigError(f"{setting.place}: {key} must be {most:,} or less")
