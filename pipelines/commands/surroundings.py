"""What a warehouse stands in: accounts, disk, permissions, schedule and versions."""

import os
import platform
import shutil
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from humanize import naturalsize

from pipelines.commands.account_check import SKEW, check_account, sentence_of
from pipelines.commands.doctor import GOOD, WRONG, Finding
from pipelines.commands.schedule import next_run, place_of
from pipelines.commands.schedule_install import installed
from pipelines.config.model import Account, Config
from pipelines.config.toml_file import ConfigError

PACKAGES = ("callhouse", "dlt", "duckdb", "pyarrow")
SPARE = 256 * 1024**2
"""Bytes that must be free beside a copy of what is built."""


def look_around(
    config: Config, folder: Path, now: datetime, *, offline: bool
) -> Iterator[Finding]:
    """Yield a finding for each thing; ``offline`` asks no vendor."""
    yield _versions()
    yield _disk(config)
    yield from _permissions(config, folder)
    yield _schedule(config, folder, now)
    if not offline:
        for vendor in config.vendors:
            for account in vendor.accounts:
                yield _account(account, now, is_as_of=config.is_as_of)


def _versions() -> Finding:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    text = f"versions: {packages}, Python {platform.python_version()}"
    return Finding(text, GOOD)


def _disk(config: Config) -> Finding:
    """Return whether a build has room: it copies what it publishes."""
    root = config.warehouse.root.absolute()
    there = next(one for one in (root, *root.parents) if one.exists())
    free = shutil.disk_usage(there).free
    build = config.warehouse.build
    needed = SPARE + (2 * build.stat().st_size if build.is_file() else 0)
    name = f"disk: {naturalsize(free)} free at {there}"
    if free >= needed:
        return Finding(name, GOOD)
    problem = f"a run needs about {naturalsize(needed)}"
    return Finding(name, WRONG, problem=problem, remedy="make room there")


def _permissions(config: Config, folder: Path) -> Iterator[Finding]:
    """Yield the folders that this user cannot use; one finding if all can be."""
    root = config.warehouse.root
    needs = {root: os.R_OK | os.W_OK | os.X_OK, folder: os.R_OK | os.X_OK}
    for path, mode in needs.items():
        if path.is_dir() and not os.access(path, mode):
            problem = "this user cannot use it"
            yield Finding(str(path), WRONG, problem=problem, remedy="own it")
            return
    yield Finding(f"permissions: {root} and {folder}", GOOD)


def _schedule(config: Config, folder: Path, now: datetime) -> Finding:
    """Return when the next run is due; no schedule is no problem: others exist."""
    try:
        found = installed(place_of(folder)).kind
    except ConfigError as error:
        return Finding("schedule", WRONG, problem=str(error), remedy="mend that")
    if not found:
        return Finding("schedule: none of callhouse schedule install", GOOD)
    due = next_run(config.operation.schedule, now)
    return Finding(f"schedule: {found}, next run {due:%Y-%m-%d %H:%M} UTC", GOOD)


def _account(account: Account, now: datetime, *, is_as_of: bool) -> Finding:
    check = check_account(account, now, is_as_of=is_as_of)
    name = f"account {account.vendor} {account.alias}"
    sentence = sentence_of(check)
    if check.is_usable and check.skew <= SKEW:
        return Finding(f"{name}: {sentence}", GOOD)
    remedy = "see secrets.toml, and the rights in the notes of the vendor"
    if check.is_usable:
        remedy = "set this machine's clock, as with NTP"
    return Finding(name, WRONG, problem=sentence, remedy=remedy)
