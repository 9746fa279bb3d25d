"""The sandbox's own endpoints below /_sandbox: clock, truth, faults, requests seen."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from pipelines.sandbox.archive import Archive
from pipelines.sandbox.evovoice import api as evovoice
from pipelines.sandbox.faults import KINDS, ONLY, SHAPES, Fault
from pipelines.sandbox.twin import api as twin
from pipelines.sandbox.voximplant import api as voximplant
from pipelines.sandbox.whippy import api as whippy
from pipelines.sandbox.wire import Question, Request, Response, reply
from pipelines.sandbox.world import (
    BEGINNING,
    Changes,
    DateHeader,
    Truth,
    World,
    midnight,
)
from pipelines.sandbox.zoom import api as zoom

VENDORS: dict[str, Any] = {
    "zoom": zoom,
    "voximplant": voximplant,
    "evovoice": evovoice,
    "twin": twin,
    "whippy": whippy,
}
"""The modules with a vendor's `open_archive`, `answer` and `truth`."""
Answer = Callable[[Request], Response]
DATED = ("evovoice", "twin", "whippy")
"""Vendors whose records have a time of change."""

TruthOf = Callable[[datetime, datetime], Iterator[Truth]]


@dataclass(frozen=True, eq=False)
class Sandbox:
    """Everything the server holds: the vendors, the faults armed, the requests seen."""

    world: World
    archives: dict[str, Archive[Any]]
    answers: dict[str, Answer]
    truths: dict[str, TruthOf]
    faults: list[Fault] = field(default_factory=list)
    disarmed: threading.Condition = field(default_factory=threading.Condition)
    """Notified when the faults are taken back: what is slow by one of them goes on."""
    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    answered: dict[tuple[str, str], dict[Question, Response]] = field(
        default_factory=dict
    )
    """The last unspoiled answer to each of the last questions of a path, in order."""
    totals: dict[tuple[str, Question], object] = field(default_factory=dict)
    """What each window's total was at its last unspoiled answer."""


def open_sandbox(world: World) -> Sandbox:
    """Return the five vendors, with nothing asked and nothing armed."""
    archives = {vendor: api.open_archive(world) for vendor, api in VENDORS.items()}
    return Sandbox(
        world,
        archives,
        {name: partial(api.answer, archives[name]) for name, api in VENDORS.items()},
        {name: partial(api.truth, archives[name]) for name, api in VENDORS.items()},
    )


def control(sandbox: Sandbox, request: Request) -> Response:
    """Any request below /_sandbox; a request that makes no sense is a 400."""
    name = request.path.removeprefix("/_sandbox/")
    handler = HANDLERS.get((request.method, name))
    if handler is None:
        return reply({"error": "no such control endpoint"}, 404)
    try:
        return handler(sandbox, request)
    except (ValueError, TypeError, KeyError, msgspec.ValidationError) as error:
        return reply({"error": f"{type(error).__name__}: {error}"}, 400)


def moment(text: str) -> datetime:
    """Return a moment from ISO 8601; without an offset it is UTC."""
    read = datetime.fromisoformat(text)
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def _clock(sandbox: Sandbox, _: Request) -> Response:
    return reply({"now": sandbox.world.clock.now})


def _set_clock(sandbox: Sandbox, request: Request) -> Response:
    sandbox.world.clock.now = moment(str((request.document() or {})["now"]))
    return _clock(sandbox, request)


def _truth(sandbox: Sandbox, request: Request) -> Response:
    asked = dict(request.query)
    after_now = sandbox.world.clock.now + timedelta(microseconds=1)
    since = moment(asked.get("since", midnight(BEGINNING).isoformat()))
    until = moment(asked.get("until", after_now.isoformat()))
    return reply(list(sandbox.truths[asked["vendor"]](since, until)))


def _price_items(sandbox: Sandbox, _: Request) -> Response:
    """Return the items of EvoVoice's price lists; no other vendor has any."""
    return reply(list(evovoice.price_items(sandbox.archives["evovoice"])))


def _requests(sandbox: Sandbox, _: Request) -> Response:
    vendors: Counter[str] = Counter()
    paths: dict[str, dict[str, int]] = {}
    for (vendor, path, status), count in sandbox.requests.items():
        vendors[vendor] += count
        paths.setdefault(path, {})[str(status)] = count
    return reply({"vendors": vendors, "paths": paths})


def _arm(sandbox: Sandbox, request: Request) -> Response:
    fault = msgspec.json.decode(request.body, type=Fault)
    if fault.vendor not in SHAPES or fault.kind not in KINDS:
        raise ValueError("unknown vendor or kind of fault")
    if fault.vendor not in ONLY.get(fault.kind, SHAPES):
        raise ValueError(f"{fault.vendor} has nothing that {fault.kind} could hit")
    sandbox.faults.append(fault)
    return reply({"armed": len(sandbox.faults)})


def _disarm(sandbox: Sandbox, _: Request) -> Response:
    sandbox.faults.clear()
    with sandbox.disarmed:
        sandbox.disarmed.notify_all()
    return reply({"armed": 0})


def _armed(sandbox: Sandbox, _: Request) -> Response:
    return reply(sandbox.faults)


def _token_life(sandbox: Sandbox, request: Request) -> Response:
    sent = request.document() or {}
    seconds = msgspec.convert(sent["seconds"], float)
    sandbox.world.tokens[str(sent["vendor"])].seconds = seconds
    return reply({"seconds": seconds})


def _grant(sandbox: Sandbox, request: Request) -> Response:
    sent = request.document() or {}
    change = "add" if sent.get("granted", True) else "discard"
    getattr(sandbox.world.scopes, change)(str(sent["scope"]))
    return reply({"scopes": sorted(sandbox.world.scopes)})


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """What a request for a change says; each kind of change has its own members."""

    vendor: str = ""
    """Without one, every vendor."""
    vendors: list[str] = []
    ids: list[str] = []
    days: int | list[date] | None = None
    start: datetime | None = None
    removed: bool = True
    undated: bool = True
    noted: bool = True
    blank: bool = True


def _asked(sandbox: Sandbox, request: Request) -> tuple[Asked, list[Changes]]:
    asked = msgspec.json.decode(request.body, type=Asked)
    vendors = asked.vendors or ([asked.vendor] if asked.vendor else list(SHAPES))
    if not set(vendors) <= set(SHAPES):
        raise ValueError("unknown vendor")
    changes = [sandbox.world.changes[vendor] for vendor in vendors]
    for one in changes:
        one.revision += 1
    return asked, changes


def _remove(sandbox: Sandbox, request: Request) -> Response:
    """Delete calls at their vendor, or with "removed": false restore them."""
    asked, changes = _asked(sandbox, request)
    for one in changes:
        change = one.removed.update if asked.removed else one.removed.difference_update
        change(asked.ids)
    return reply({"removed": sum(len(one.removed) for one in changes)})


def _undate(sandbox: Sandbox, request: Request) -> Response:
    """Take the time of change from the records of calls, or give it back."""
    asked, (changes,) = _asked(sandbox, request)
    if asked.vendor not in DATED:
        raise ValueError(f"{asked.vendor} has no time of change")
    change = (
        changes.undated.update if asked.undated else changes.undated.difference_update
    )
    change(asked.ids)
    return reply({"undated": len(changes.undated)})


def _erase(sandbox: Sandbox, request: Request) -> Response:
    """Depersonalise calls now, as TWIN does (twin.md, section 11)."""
    asked, (changes,) = _asked(sandbox, request)
    if asked.vendor != "twin":
        raise ValueError(f"{asked.vendor} erases nothing")
    changes.erased |= dict.fromkeys(asked.ids, sandbox.world.clock.now)
    return reply({"erased": len(changes.erased)})


def _move(sandbox: Sandbox, request: Request) -> Response:
    """Correct the start of calls; without "start" it is again what it was at first.

    With "noted": false the record's time of change does not show it.
    """
    asked, _ = _asked(sandbox, request)
    archive = sandbox.archives[asked.vendor]
    start = None if asked.start is None else moment(asked.start.isoformat())
    for name in asked.ids:
        archive.move(name, start, is_noted=asked.noted)
    return reply({"moved": len(archive.changes.moved)})


def _list_late(sandbox: Sandbox, request: Request) -> Response:
    """List calls no earlier than a number of "days" after their start."""
    asked, (changes,) = _asked(sandbox, request)
    later = timedelta(days=msgspec.convert(asked.days, int))
    for name in asked.ids:
        _, _, start = sandbox.archives[asked.vendor].find(name)
        changes.listed_from[name] = start + later
    return reply({"late": len(changes.listed_from)})


def _blank(sandbox: Sandbox, request: Request) -> Response:
    """Answer lists as if there were no calls, of all "days" or some; or heal."""
    asked, changes = _asked(sandbox, request)
    for one in changes:
        if asked.days is None:
            one.is_blank = asked.blank
        if not asked.blank:
            one.blank_days.clear()
        elif asked.days is not None:
            one.blank_days.update(msgspec.convert(asked.days, list[date]))
    return reply(
        {"blank": [v for v, one in sandbox.world.changes.items() if one.is_blank]}
    )


def _undo(sandbox: Sandbox, _: Request) -> Response:
    """Undo every change, as if none had been."""
    for vendor, one in sandbox.world.changes.items():
        # The revision goes on, since it names what was rendered.
        sandbox.world.changes[vendor] = Changes(revision=one.revision + 1)
    return reply({})


def _date_header(sandbox: Sandbox, request: Request) -> Response:
    """Send a Date header "seconds" ahead, as "text", or not; else the right one."""
    sent = request.document() or {}
    header = DateHeader(
        timedelta(seconds=msgspec.convert(sent.get("seconds", 0), float)),
        msgspec.convert(sent.get("text"), str | None),
        bool(sent.get("sent", True)),
    )
    sandbox.world.dates[str(sent["vendor"])] = header
    return reply({"sent": header.is_sent})


HANDLERS: dict[tuple[str, str], Callable[[Sandbox, Request], Response]] = {
    ("GET", "clock"): _clock,
    ("POST", "clock"): _set_clock,
    ("GET", "truth"): _truth,
    ("GET", "price_items"): _price_items,
    ("GET", "requests"): _requests,
    ("GET", "faults"): _armed,
    ("POST", "faults"): _arm,
    ("DELETE", "faults"): _disarm,
    ("POST", "token_life"): _token_life,
    ("POST", "scopes"): _grant,
    ("POST", "removed"): _remove,
    ("POST", "moved"): _move,
    ("POST", "erased"): _erase,
    ("POST", "late"): _list_late,
    ("POST", "undated"): _undate,
    ("POST", "blank"): _blank,
    ("DELETE", "changes"): _undo,
    ("POST", "date_header"): _date_header,
}
