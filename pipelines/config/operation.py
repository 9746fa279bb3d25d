"""The sections ``[notify]``, ``[metrics]``, ``[schedule]``: runs that nobody watches.

The addresses of services are secrets: whoever has one can write there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from pipelines.config.toml_file import ConfigError, Setting, nearest

SERVICES = "services"
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
MOST_HOURS, MOST_MINUTES, MOST_FACTOR = 24 * 365, 12 * 60, 1000


@dataclass(frozen=True)
class Notify:
    """The section ``[notify]``: who is notified, and of what."""

    services: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By a name of the operator's choice: addresses as apprise has them; secrets."""
    heartbeat: str | None = field(default=None, repr=False)
    """Requested after each complete run; a secret. None: nothing is."""
    max_age_hours: float = 30.0
    """A build that is older is stale."""
    unusual_factor: float = 5.0
    """How many times further than usual from the median a day must be to be unusual."""


@dataclass(frozen=True)
class Metrics:
    """The section ``[metrics]``."""

    textfile: Path | None = None
    """Where metrics are written for Prometheus; None: nowhere."""


@dataclass(frozen=True)
class Schedule:
    """The section ``[schedule]``: when the scheduler starts a run."""

    hour: int = 3
    minute: int = 10
    time_zone: str = "UTC"
    random_delay_minutes: float = 10.0


@dataclass(frozen=True)
class Operation:
    """What happens around a run that nobody watches."""

    notify: Notify = field(default_factory=Notify)
    metrics: Metrics = field(default_factory=Metrics)
    schedule: Schedule = field(default_factory=Schedule)


def read_operation(settings: Mapping[tuple[str, ...], Setting]) -> Operation:
    """Return the three sections; raise `ConfigError` for a value of no use."""
    found: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    services: dict[str, str] = {}
    for path, setting in settings.items():
        if path[0] not in SECTIONS:
            continue
        if path[:2] == ("notify", SERVICES) and len(path) == 3:  # noqa: PLR2004
            services[path[2]] = _secret(setting)
        else:
            readers = SECTIONS[path[0]]
            key = nearest(".".join(path[1:]), readers, setting)
            found[path[0]][key] = readers[key](setting)
    at = found["schedule"].pop("at", (Schedule.hour, Schedule.minute))
    return Operation(
        Notify(services, **found["notify"]),
        Metrics(**found["metrics"]),
        Schedule(*at, **found["schedule"]),
    )


def _secret(setting: Setting) -> str:
    """Return an address; no error has it in its sentence."""
    if "config.toml: [" in setting.place:
        raise ConfigError(
            f"{setting.place}: the address of a service is a secret; move it to "
            "secrets.toml"
        )
    text = str(setting.value).strip()
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\x00-\x1f\x7f]+", text):
        raise ConfigError(
            f"{setting.place}: this is not an address such as mailto://... or "
            "https://...; copy it again"
        )
    return text


def _heartbeat(setting: Setting) -> str:
    text = _secret(setting)
    if not text.lower().startswith(("http://", "https://")):
        raise ConfigError(f"{setting.place}: a heartbeat begins with https://")
    return text


def _textfile(setting: Setting) -> Path:
    path = Path(str(setting.value)).expanduser()
    if path.suffix != ".prom":
        raise ConfigError(
            f"{setting.place}: {str(path)!r} does not end in .prom; Prometheus reads "
            "no other text file"
        )
    return path


def _at(setting: Setting) -> tuple[int, int]:
    found = _TIME.fullmatch(str(setting.value))
    if found is None:
        raise ConfigError(
            f"{setting.place}: {str(setting.value)!r} is not a time of day; write it "
            'like "03:10"'
        )
    return int(found[1]), int(found[2])


def _time_zone(setting: Setting) -> str:
    if setting.value not in available_timezones():
        raise ConfigError(
            f"{setting.place}: {str(setting.value)!r} is not an IANA time zone; write "
            "one like Europe/Berlin"
        )
    return str(setting.value)


def _number(setting: Setting, least: float, most: float) -> float:
    try:
        found = float(setting.value)
    except (TypeError, ValueError):
        found = least - 1
    if isinstance(setting.value, bool) or not least <= found <= most:
        raise ConfigError(f"{setting.place}: write a number from {least:g} to {most:,}")
    return found


SECTIONS: Mapping[str, Mapping[str, Any]] = {
    "notify": {
        "heartbeat": _heartbeat,
        "max_age_hours": lambda one: _number(one, 1, MOST_HOURS),
        "unusual_factor": lambda one: _number(one, 1, MOST_FACTOR),
    },
    "metrics": {"textfile": _textfile},
    "schedule": {
        "at": _at,
        "time_zone": _time_zone,
        "random_delay_minutes": lambda one: _number(one, 0, MOST_MINUTES),
    },
}
