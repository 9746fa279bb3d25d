"""``callhouse notify``: tell each incident once, and once that it is well again.

What was sent, and to which service, is in a small file beside the journal. A message
that a service does not take is sent to it again the next time.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import requests

from pipelines.commands.incidents import Incident, all_incidents
from pipelines.config.model import Config
from pipelines.config.operation import Notify
from pipelines.config.toml_file import ConfigError
from pipelines.warehouse.locks import in_turn
from pipelines.warehouse.opening import FileError
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.suppression_list import write_private

if TYPE_CHECKING:
    from apprise import Apprise

HEARTBEAT_SECONDS = 10
NO_SERVICE = (
    "nobody is notified: there is no service in [notify.services] of secrets.toml; "
    "secrets.example.toml shows how"
)


class Known(msgspec.Struct, frozen=True):
    """An incident that was found, and which services know of it."""

    incident: Incident
    notified: frozenset[str] = frozenset()
    well: frozenset[str] = frozenset()
    """The services that know that it is well again."""


@dataclass
class Report:
    """What was sent, and what could not be; sentences without addresses."""

    sent: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def tell_incidents(config: Config, now: datetime) -> Report:
    """Tell every service what it does not know; raise `ConfigError` without any."""
    if not config.operation.notify.services:
        raise ConfigError(NO_SERVICE)
    max_age = timedelta(hours=config.operation.notify.max_age_hours)
    return tell(config, all_incidents(config, now, max_age)[0])


def tell(config: Config, found: Sequence[Incident]) -> Report:
    """Tell every service of incidents, and of those that are well again."""
    services, report = _services(config.operation.notify), Report()
    with in_turn(config.warehouse.incidents_lock):
        left = []
        for one in _merged(_read(config.warehouse), found):
            is_over = one.incident.key not in {other.key for other in found}
            done = _send(one, services, report, is_over=is_over)
            if not is_over or done.notified - done.well:
                left.append(done)
        _write(config.warehouse, left)
    return report


def send_test(config: Config) -> Report:
    """Send a message to every service. Raises `ConfigError` without any."""
    if not config.operation.notify.services:
        raise ConfigError(NO_SERVICE)
    report = Report()
    for name, service in _services(config.operation.notify).items():
        _deliver(name, service, "Callhouse: a test", "Messages arrive.", report)
    return report


def beat(config: Config) -> str:
    """Request the heartbeat; return what went wrong, "" if nothing did."""
    address = config.operation.notify.heartbeat
    if address is None:
        return ""
    try:
        reply = requests.get(address, timeout=HEARTBEAT_SECONDS)
    except requests.RequestException as error:
        # Its text has the address in it, which is a secret.
        return f"the heartbeat could not be requested ({type(error).__name__})"
    return "" if reply.ok else f"the heartbeat was answered with {reply.status_code}"


def _services(notify: Notify) -> dict[str, "Apprise"]:
    """Return what sends, by the name of the service.

    Raises `ConfigError` for an address of no form that is known.
    """
    from apprise import Apprise  # noqa: PLC0415 - half a second, for one command

    # It would log addresses, which are secrets.
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.CRITICAL + 1)
    found = {}
    for name, address in notify.services.items():
        one = Apprise()
        if not one.add(address):
            raise ConfigError(
                f"[notify.services] {name}: apprise knows no such address; its "
                "documentation has the form of each service's"
            )
        found[name] = one
    return found


def _merged(known: Sequence[Known], found: Sequence[Incident]) -> Iterator[Known]:
    """Yield what is known, with the newest words of what is still there; then the new.

    Who knows that it was well again is notified anew.
    """
    now = {one.key: one for one in found}
    for one in known:
        key = one.incident.key
        if key in now:
            # Its beginning is when it was first seen.
            same = msgspec.structs.replace(now.pop(key), since=one.incident.since)
            yield Known(same, one.notified - one.well)
        else:
            yield one
    yield from map(Known, now.values())


def _send(
    one: Known, services: dict[str, "Apprise"], report: Report, *, is_over: bool
) -> Known:
    """Send what a service does not know of an incident; return who knows now."""
    incident, informed = one.incident, set(one.notified & services.keys())
    well = set(one.well)
    if is_over:
        title, body = f"{incident.title}: well again", f"What: {incident.what}\n"
        for name in sorted(informed - well):
            if _deliver(name, services[name], title, body, report):
                well.add(name)
    else:
        title, body = incident.title, message_of(incident)
        for name in sorted(services.keys() - informed):
            if _deliver(name, services[name], title, body, report):
                informed.add(name)
    return Known(incident, frozenset(informed), frozenset(well))


def message_of(incident: Incident) -> str:
    """Return what happened, since when, and what to do."""
    since = f"{incident.since:%Y-%m-%d %H:%M} UTC" if incident.since else "not known"
    return f"What: {incident.what}\nSince: {since}\nDo: {incident.remedy}\n"


def _deliver(
    name: str, service: "Apprise", title: str, body: str, report: Report
) -> bool:
    """Send a message through a service; return True if it was taken."""
    try:
        is_sent = bool(service.notify(title=title, body=body))
    except (OSError, TypeError, ValueError):
        is_sent = False
    if is_sent:
        report.sent.append(f"{name} was notified: {title}")
    else:
        report.failed.append(
            f"the service {name!r} of [notify.services] did not take a message "
            f"({title}); try it with: callhouse notify --test"
        )
    return is_sent


def _read(warehouse: Warehouse) -> list[Known]:
    """Return what was sent; nothing if the file is missing.

    A file that cannot be read is an error: everything would be sent again for ever.
    """
    path = warehouse.incidents
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Known])
    except FileNotFoundError:
        return []
    except (msgspec.DecodeError, UnicodeDecodeError, IsADirectoryError):
        raise FileError(
            f"{path} cannot be read; delete it, and what is wrong is sent once more"
        ) from None


def _write(warehouse: Warehouse, known: Sequence[Known]) -> None:
    if known or warehouse.incidents.exists():
        write_private(warehouse.incidents, msgspec.json.encode(known))
