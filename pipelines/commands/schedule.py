"""What a scheduler needs to start runs, made from the configuration.

Each form is a file in ``schedules/`` with names to be filled in.
"""

import json
import os
import pwd
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from importlib.metadata import version
from pathlib import Path
from string import Template
from textwrap import indent
from zoneinfo import ZoneInfo

from pipelines.config.model import Config
from pipelines.config.operation import Schedule
from pipelines.config.toml_file import ConfigError

FORMS = Path(__file__).with_name("schedules")
SYSTEMD, CRON, KUBERNETES, GITHUB, CONTAINER = (
    *("systemd", "cron", "kubernetes", "github", "container"),
)
RUN = ("callhouse-run.service", "callhouse-run.timer")
NOTIFY = ("callhouse-notify.service", "callhouse-notify.timer")
FILES = {KUBERNETES: "kubernetes.yaml", GITHUB: "github.yaml", CONTAINER: "Dockerfile"}
MARK = "Written by callhouse schedule install for"
_USABLE = re.compile(r"[^\x00-\x1f\x7f\"'\\$%`]+")
"""Paths without what a unit file, a crontab or a shell reads otherwise."""


@dataclass(frozen=True)
class Place:
    """Where a scheduled run finds its program, its configuration and its warehouse."""

    program: Path
    config: Path
    folder: Path
    """The working folder; the paths of the configuration are relative to it."""


def place_of(config: Path) -> Place:
    """Return the places of this installation, as absolute paths.

    Raises `ConfigError` if there is no program to start, or a path has a character
    that a scheduler cannot have.
    """
    beside = Path(sys.executable).with_name("callhouse")
    found = str(beside) if beside.exists() else shutil.which("callhouse")
    if found is None:
        raise ConfigError(
            f"there is no program callhouse beside {sys.executable}; install the "
            "package with pip"
        )
    place = Place(Path(found).absolute(), config.absolute(), Path.cwd())
    for path in (place.program, place.config, place.folder):
        if not _USABLE.fullmatch(str(path)):
            raise ConfigError(
                f"a scheduler cannot have the path {str(path)!r}; use one without "
                "quotes, $, %, backslash and control characters"
            )
    return place


def next_run(schedule: Schedule, now: datetime, zone: tzinfo = UTC) -> datetime:
    """Return when the next run is due after ``now``, in a time zone."""
    local = now.astimezone(ZoneInfo(schedule.time_zone))
    at = local.replace(
        hour=schedule.hour, minute=schedule.minute, second=0, microsecond=0
    )
    if at <= local:
        at += timedelta(days=1)
    return at.astimezone(zone)


def shown(config: Config, place: Place, form: str, now: datetime) -> str:
    """Return the files of a form, each below its name where there are several."""
    if form == SYSTEMD:
        units = systemd_units(config, place, now, is_user=os.geteuid() != 0)
        return "\n".join(f"# {name}\n{text}" for name, text in units.items())
    if form == CRON:
        return cron_lines(config, place, now)
    return _filled(FILES[form], _values(config, place, now))


def systemd_units(
    config: Config, place: Place, now: datetime, *, is_user: bool
) -> dict[str, str]:
    """Return the unit files by name; ``is_user``: those of a user's own manager.

    Who has no service to notify gets no units that do.
    """
    values = _values(config, place, now)
    kind = "user" if is_user else "system"
    values["sandbox"] = _filled(f"sandbox-{kind}.conf", values).rstrip()
    names = (*RUN, *NOTIFY) if config.operation.notify.services else RUN
    return {name: _filled(name, values) for name in names}


def cron_lines(config: Config, place: Place, now: datetime) -> str:
    """Return the lines of a crontab, in the time of this machine.

    Not every cron knows time zones: the hour is that of the next run.
    """
    here = datetime.now().astimezone().tzinfo or UTC
    at = next_run(config.operation.schedule, now, here)
    values = _values(config, place, now) | {"hour": at.hour, "minute": at.minute}
    lines = _filled("crontab", values)
    if config.operation.notify.services:
        lines += _filled("crontab-notify", values)
    return lines


def mark_of(place: Place) -> str:
    """Return the sentence by which what was installed is known again."""
    return f"{MARK} {place.config}"


def log_of(config: Config) -> Path:
    """Return the file into which cron writes what a run says."""
    return config.warehouse.root.absolute() / "schedule.log"


def _values(config: Config, place: Place, now: datetime) -> dict[str, object]:
    schedule = config.operation.schedule
    utc = next_run(schedule, now)
    folders = [config.warehouse.root.absolute(), place.config]
    if config.operation.metrics.textfile:
        folders.append(config.operation.metrics.textfile.absolute().parent)
    paths: Mapping[str, Path] = {
        "program": place.program,
        "config": place.config,
        "folder": place.folder,
        "log": log_of(config),
    }
    text = place.config / "config.toml"
    given = text.read_text("utf-8") if text.exists() else "# as it is by default\n"
    return {
        **paths,
        **{f"{name}_quoted": shlex.quote(str(path)) for name, path in paths.items()},
        **{f"{name}_yaml": json.dumps(str(path)) for name, path in paths.items()},
        "run_yaml": json.dumps(f"{shlex.quote(str(place.program))} run"),
        "mark": mark_of(place),
        "owner": _owner(place.config),
        # What is missing yet is made by the first run, and must not stop it.
        "writable": " ".join(f'"-{folder}"' for folder in folders),
        "at": f"{schedule.hour:02}:{schedule.minute:02}",
        "hour": schedule.hour,
        "minute": schedule.minute,
        "utc_hour": utc.hour,
        "utc_minute": utc.minute,
        "time_zone": schedule.time_zone,
        "random_delay_seconds": round(schedule.random_delay_minutes * 60),
        "config_text": indent(given.rstrip(), " " * 4),
        "version": version("callhouse"),
    }


def _owner(config: Path) -> str:
    """Return who owns the configuration, and so runs Callhouse."""
    owner = config.stat().st_uid if config.exists() else os.geteuid()
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return str(owner)


def _filled(name: str, values: Mapping[str, object]) -> str:
    return Template((FORMS / name).read_text("utf-8")).substitute(values)
