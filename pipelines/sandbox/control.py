"""The sandbox's own endpoints below /_sandbox: clock, truth, faults, requests seen."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from pipelines.sandbox import evovoice, twin, voximplant, whippy, zoom
from pipelines.sandbox.faults import KINDS, SHAPES, Fault
from pipelines.sandbox.wire import Request, Response, reply
from pipelines.sandbox.world import BEGINNING, Truth, World, midnight

Answer = Callable[[Request], Response]
TruthOf = Callable[[datetime, datetime], Iterator[Truth]]


@dataclass(frozen=True, eq=False)
class Sandbox:
    """Everything the server holds: the vendors, the faults armed, the requests seen."""

    world: World
    answers: dict[str, Answer]
    truths: dict[str, TruthOf]
    faults: list[Fault] = field(default_factory=list)
    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    previous: dict[tuple[str, str], Response] = field(default_factory=dict)


def open_sandbox(world: World) -> Sandbox:
    """Return the five vendors, with nothing asked and nothing armed."""
    zoom_desk, whippy_desk = zoom.open_desk(world), whippy.open_desk(world)
    voximplant_desk = voximplant.open_desk(world)
    evovoice_desk, twin_desk = evovoice.open_desk(world), twin.open_desk(world)
    return Sandbox(
        world,
        {
            "zoom": lambda request: zoom.answer(zoom_desk, request),
            "voximplant": lambda r: voximplant.answer(voximplant_desk, r),
            "evovoice": lambda request: evovoice.answer(evovoice_desk, request),
            "twin": lambda request: twin.answer(twin_desk, request),
            "whippy": lambda request: whippy.answer(whippy_desk, request),
        },
        {
            "zoom": lambda since, until: zoom.truth(zoom_desk, since, until),
            "voximplant": lambda s, u: voximplant.truth(voximplant_desk, s, u),
            "evovoice": lambda s, u: evovoice.truth(evovoice_desk, s, u),
            "twin": lambda since, until: twin.truth(twin_desk, since, until),
            "whippy": lambda since, until: whippy.truth(whippy_desk, since, until),
        },
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
    sandbox.faults.append(fault)
    return reply({"armed": len(sandbox.faults)})


def _disarm(sandbox: Sandbox, _: Request) -> Response:
    sandbox.faults.clear()
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


def _remove(sandbox: Sandbox, request: Request) -> Response:
    sent = request.document() or {}
    ids = msgspec.convert(sent["ids"], list[str])
    if sent.get("removed", True):
        sandbox.world.removed.update(ids)
    else:
        sandbox.world.removed.difference_update(ids)
    return reply({"removed": len(sandbox.world.removed)})


HANDLERS: dict[tuple[str, str], Callable[[Sandbox, Request], Response]] = {
    ("GET", "clock"): _clock,
    ("POST", "clock"): _set_clock,
    ("GET", "truth"): _truth,
    ("GET", "requests"): _requests,
    ("GET", "faults"): _armed,
    ("POST", "faults"): _arm,
    ("DELETE", "faults"): _disarm,
    ("POST", "token_life"): _token_life,
    ("POST", "scopes"): _grant,
    ("POST", "removed"): _remove,
}
