"""Days of history, made on demand, and the records they show at the clock."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Generic, TypeVar

import msgspec

from pipelines.sandbox.wire import encode
from pipelines.sandbox.world import World, days

T = TypeVar("T")


class DayCache(Generic[T]):
    """Least recently used days, bounded by the number of records they hold."""

    def __init__(self, records: int = 50_000) -> None:
        """Keep at most about `records` records."""
        self.room = records
        self.size = 0
        self.days: OrderedDict[object, Sequence[T]] = OrderedDict()

    def get(self, key: object, make: Callable[[], Sequence[T]]) -> Sequence[T]:
        """Return the records under `key`, made on first use."""
        found = self.days.get(key)
        if found is not None:
            self.days.move_to_end(key)
            return found
        made = self.days[key] = make()
        self.size += len(made) + 1
        while self.size > self.room and len(self.days) > 1:
            _, dropped = self.days.popitem(last=False)
            self.size -= len(dropped) + 1
        return made


@dataclass(frozen=True, eq=False)
class Archive(Generic[T]):
    """One vendor's history: `make` gives the calls of a (world, account, UTC day)."""

    world: World
    make: Callable[[World, str, date], Sequence[T]]
    identity: Callable[[T], str]
    made: DayCache[T] = field(default_factory=DayCache)
    rendered: DayCache[tuple[T, msgspec.Raw]] = field(default_factory=DayCache)

    def calls(self, account: str, day: date) -> Sequence[T]:
        """Every call of the day, visible yet or not, that has not been removed."""
        made = self.made.get(
            (account, day), lambda: self.make(self.world, account, day)
        )
        removed = self.world.removed
        if not removed:
            return made
        return [call for call in made if self.identity(call) not in removed]

    def between(self, account: str, since: datetime, until: datetime) -> Iterator[T]:
        """Every call of the days that touch [since, until]."""
        for day in days(since, until):
            yield from self.calls(account, day)

    def shown(
        self,
        account: str,
        day: date,
        variant: object,
        render: Callable[[T, datetime], dict[str, object] | None],
    ) -> Sequence[tuple[T, msgspec.Raw]]:
        """Return the day's visible calls with their JSON, as `variant` renders it."""
        now = self.world.clock.now

        def make() -> Sequence[tuple[T, msgspec.Raw]]:
            records = ((call, render(call, now)) for call in self.calls(account, day))
            return [
                (call, msgspec.Raw(encode(record)))
                for call, record in records
                if record is not None
            ]

        removed = frozenset(self.world.removed)
        key = (account, day, variant, self.world.moment(day), removed)
        return self.rendered.get(key, make)
