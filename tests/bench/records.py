"""What the vendors of the bench have: records of the sandbox, so many a day.

TWIN's are flat, Voximplant's are nested. They are made once, final, in the friendly
world, and written as newline-delimited JSON in the order of their times.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from unittest.mock import patch
from zoneinfo import ZoneInfo

from phonenumbers import is_valid_number, parse

from pipelines.sandbox import draw
from pipelines.sandbox.credentials import ALIASES, invent
from pipelines.sandbox.twin import history as twin_history
from pipelines.sandbox.twin import record as twin_record
from pipelines.sandbox.voximplant import history as voximplant_history
from pipelines.sandbox.voximplant import record as voximplant_record
from pipelines.sandbox.wire import Tokens, encode
from pipelines.sandbox.world import Clock, World

SEED, ALIAS = 7, ALIASES[0]
NOW = datetime(2026, 11, 17, 3, tzinfo=UTC)
"""When a measured run begins: in the night after the last day."""
DAYS, A_DAY = 50, 998
"""Not 1,000 a day: a round number looks to a client as if it had been cut short."""
LATER = NOW + timedelta(days=10)
"""When the records are read off: every price is known by then."""
BUSY = (1.0,) * 5 + (0.35, 0.2)
"""The share of its volume that a weekday of the sandbox has, or 15 % less."""
SPARE = 1.2
"""Some are left out: those of a child account, and those that stay without a price."""

Record = dict[str, object]


@cache
def _area_codes() -> tuple[str, ...]:
    """Return every area code whose 555-0100 to 555-0199 are kept for fiction."""
    codes = map(str, range(201, 1000))
    return tuple(c for c in codes if is_valid_number(parse(f"+1{c}5550100")))


def _twin(world: World, day: date) -> Iterator[Record]:
    # The sandbox has a thousand callers, of whom each would call a hundred times.
    rng, codes = Random(f"{day}"), _area_codes()  # noqa: S311
    for call in twin_history.history(world, ALIAS, day):
        shown = twin_record.record(call, LATER)
        if shown is not None and shown["billedAt"] is not None:  # none stays pending
            caller = f"1{rng.choice(codes)}55501{rng.randrange(100):02d}"
            yield shown | {"callingNumber": caller}


def _voximplant(world: World, day: date) -> Iterator[Record]:
    with patch.object(draw, "AREA_CODES", _area_codes()):
        sessions = voximplant_history.history(world, ALIAS, day)
    for call in sessions:
        shown = voximplant_record.record(call, LATER, ZoneInfo("UTC"), (True,) * 3)
        if shown is not None and not call.is_of_child:
            yield shown


MAKERS: dict[str, Callable[[World, date], Iterator[Record]]] = {
    "twin": _twin,
    "voximplant": _voximplant,
}


def write_records(
    file: Path,
    vendor: str,
    days: int = DAYS,
    a_day: int = A_DAY,
    last: date | None = None,
) -> None:
    """Write the records of the days up to ``last``, the one before `NOW`."""
    last = last or NOW.date() - timedelta(days=1)
    world = World(
        seed=SEED,
        volume=0,
        aliases=(ALIAS,),
        clock=Clock(LATER),
        credentials=invent(SEED, (ALIAS,)),
        public_key="",
        tokens={vendor: Tokens()},
        is_friendly=True,
    )
    incoming = file.with_suffix(".incoming")
    with incoming.open("wb") as lines:
        for back in reversed(range(days)):
            day = last - timedelta(days=back)
            volume = math.ceil(a_day * SPARE / 0.85 / BUSY[day.weekday()])
            made = list(MAKERS[vendor](replace(world, volume=volume), day))
            if len(made) < a_day:
                raise ValueError(f"{vendor} has only {len(made)} records on {day}")
            # Of all hours of the day, since there are more than are wanted.
            chosen = [made[place * len(made) // a_day] for place in range(a_day)]
            lines.writelines(encode(one) + b"\n" for one in chosen)
    incoming.replace(file)
