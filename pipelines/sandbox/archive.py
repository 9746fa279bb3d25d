"""Days of history, made on demand, and the records they show at the clock."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Generic, TypeVar

import msgspec

from pipelines.sandbox.wire import encode
from pipelines.sandbox.world import Changes, Correction, Move, Truth, World, days

T = TypeVar("T")
SEARCHED = timedelta(days=100)
"""How far back a call is looked for by its id."""


class DayCache(Generic[T]):
    """Least recently used days, bounded by the number of their records."""

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
    vendor: str
    accounts: Sequence[str]
    make: Callable[[World, str, date], Sequence[T]]
    identity: Callable[[T], str]
    start: Callable[[T], datetime]
    correct: Callable[[T, Correction], T]
    made: DayCache[T] = field(default_factory=DayCache)
    rendered: DayCache[tuple[T, msgspec.Raw]] = field(default_factory=DayCache)

    def calls(self, account: str, day: date) -> Sequence[T]:
        """Every call of the day, visible yet or not, that the vendor will list now."""
        made, changes = self._made(account, day), self.changes
        if not changes.revision:
            return made
        stayed = [call for call in made if self.identity(call) not in changes.moved]
        came = [
            call
            for name, move in changes.moved.items()
            if (move.account, move.start.date()) == (account, day)
            for call in self._made(account, move.made_on)
            if self.identity(call) == name
        ]
        unlisted = changes.unlisted(self.world.clock.now)
        found = [
            self._changed(call)
            for call in (*stayed, *came)
            if self.identity(call) not in unlisted
        ]
        return sorted(found, key=self.start) if came else found

    @property
    def changes(self) -> Changes:
        """What happened to the vendor's calls."""
        return self.world.changes[self.vendor]

    def _made(self, account: str, day: date) -> Sequence[T]:
        return self.made.get(
            (account, day), lambda: self.make(self.world, account, day)
        )

    def _changed(self, call: T) -> T:
        name = self.identity(call)
        move = self.changes.moved.get(name)
        is_dated = name not in self.changes.undated
        erased_at = self.changes.erased.get(name)
        if move is None and is_dated and erased_at is None:
            return call
        correction = Correction() if move is None else move.correction
        whole = replace(correction, is_dated=is_dated, erased_at=erased_at)
        return self.correct(call, whole)

    def find(self, name: str) -> tuple[str, date, datetime]:
        """Return account, day and start of a call as it was made; or `KeyError`."""
        now = self.world.clock.now
        for day in reversed(list(days(now - SEARCHED, now))):
            for account in self.accounts:
                for call in self._made(account, day):
                    if self.identity(call) == name:
                        return account, day, self.start(call)
        raise KeyError(name)

    def move(self, name: str, start: datetime | None, *, is_noted: bool) -> None:
        """Correct a call's start, or with None take every correction of it back."""
        now = self.world.clock.now
        account, day, first = self.find(name)
        new = first if start is None else start
        if new > now:
            raise ValueError(f"{name} cannot begin after the clock")
        before = self.changes.moved.get(name) if start is not None else None
        # A time of change that was shown once does not go back.
        noted_at = now if is_noted else before.correction.noted_at if before else None
        correction = Correction(new - first, noted_at)
        self.changes.moved[name] = Move(account, day, new, correction)

    def between(self, account: str, since: datetime, until: datetime) -> Iterator[T]:
        """Every call of the days that touch [since, until]."""
        for day in days(since, until):
            yield from self.calls(account, day)

    def truths(
        self,
        since: datetime,
        until: datetime,
        truth_of: Callable[[T, str, datetime], Truth | None],
    ) -> Iterator[Truth]:
        """Yield what the calls of all accounts in [since, until) amount to."""
        for account in self.accounts:
            for call in self.between(account, since, until):
                row = truth_of(call, account, self.world.clock.now)
                if row is not None and since <= row.event_at < until:
                    yield row

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

        changes = self.changes
        if changes.hides(day):
            return ()
        state = (changes.revision, changes.unlisted(now))
        key = (account, day, variant, self.world.moment(day), state)
        return self.rendered.get(key, make)
