"""Which stored records their vendor has deleted: by proof, never by one read. Pure.

A record is missing when a run has read its window and the days beside it completely,
and no window or stream of the run has listed it. It is deleted when it is missing in
two runs, at least 20 hours apart, and both runs are believable: a window that is known
to have records still had them, and few records are missing at once. A run that is not
believable deletes nothing, and the windows of the missing records stay incomplete.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from pipelines.planning.windows import DAY, Interval, merge, midnight, split, subtract

APART = timedelta(hours=20)
"""Two reads that miss a record prove more when the vendor had time to recover."""
FEW = 3
ONE_IN = 10
"""At most this many records, or one in ten, may be missing at once."""

Doubt: TypeAlias = Literal["", "no_control", "too_many", "not_surrounded"]
"""Why a read that misses records is not believed; "": it is believed."""


@dataclass(frozen=True)
class WindowRead:
    """A window of one account's stream that a run has read completely."""

    interval: Interval
    started_at: datetime
    listed: int
    """How many records came that lie inside the window."""
    known: int
    """How many of them were stored before the run."""


@dataclass(frozen=True)
class StreamReads:
    """All that a run has read of one account's stream."""

    reads: tuple[WindowRead, ...]
    until: datetime
    """The newest moment that can be read."""
    expired: tuple[Interval, ...] = ()
    """Windows that the vendor no longer serves, or not with every record: no read can
    prove anything there."""

    @property
    def proven(self) -> list[Interval]:
        """Return what was read, merged."""
        return merge(read.interval for read in self.reads)

    @property
    def has_control(self) -> bool:
        """Return True if records that were stored before the run came again."""
        return any(read.known for read in self.reads)

    @property
    def is_silent(self) -> bool:
        """Return True if windows were read and none of them listed anything."""
        return bool(self.reads) and not any(read.listed for read in self.reads)

    def unread_around(self, moment: datetime) -> list[Interval]:
        """Return the gaps in what was read, from a day before to a day after."""
        around = (moment - DAY, min(moment + DAY, self.until))
        return subtract(around, [*self.proven, *self.expired])

    def started_at(self, moment: datetime) -> datetime:
        """Return when the last read of a moment's window began."""
        return max(
            read.started_at
            for read in self.reads
            if read.interval[0] <= moment < read.interval[1]
        )


@dataclass(frozen=True)
class Missing:
    """A stored record that lies in a window of the run and was not listed."""

    record_id: str
    event_at: datetime


@dataclass(frozen=True)
class Suspicion:
    """A stored record that was missing in an earlier run; nothing is proven yet."""

    account: str
    table: str
    record_id: str
    event_at: datetime
    since: datetime
    """When the first read that missed it began."""
    is_believed: bool
    """Whether that read counts as the first of the two."""


@dataclass(frozen=True)
class Judgment:
    """What a run concludes about the missing records of one account's stream."""

    deleted: tuple[Missing, ...] = ()
    suspected: tuple[Missing, ...] = ()
    """Missing once, in a believable run: the next run reads their windows again."""
    doubted: tuple[Missing, ...] = ()
    """Missing in reads that are not believed: their windows stay incomplete."""
    doubt: Doubt = ""
    stored: int = 0
    """How many records of the windows that were read are stored."""

    def only_confirmed(self, confirmed: Interval | None) -> "Judgment":
        """Return the same with only confirmed records deleted, others suspected."""
        sure = [one for one in self.deleted if is_confirmed(one, confirmed)]
        rest = [one for one in self.deleted if one not in sure]
        return replace(self, deleted=tuple(sure), suspected=(*self.suspected, *rest))


def most_at_once(stored: int) -> int:
    """Return how many of ``stored`` records may be missing at once."""
    return max(FEW, stored // ONE_IN)


def is_confirmed(one: Missing, confirmed: Interval | None) -> bool:
    """Return True if an operator confirmed that the vendor has deleted this record."""
    return confirmed is not None and confirmed[0] <= one.event_at < confirmed[1]


def judge(
    missing: Sequence[Missing],
    suspicions: Mapping[str, Suspicion],
    reads: StreamReads,
    confirmed: Interval | None = None,
) -> Judgment:
    """Return which of the missing records are deleted, suspected or doubted.

    ``suspicions`` are those of earlier runs, by record id. ``confirmed`` is a span of
    time: the operator knows that the vendor has deleted the records missing in it.
    """
    sure = [one for one in missing if is_confirmed(one, confirmed)]
    rest = [one for one in missing if one not in sure]
    doubt = doubt_of(rest, suspicions, reads)
    stored = _stored(missing, reads)
    believed = sure if doubt else [*sure, *rest]
    surrounded = [one for one in believed if not reads.unread_around(one.event_at)]
    deleted = [
        one
        for one in surrounded
        if one in sure or _is_proven(one, suspicions.get(one.record_id), reads)
    ]
    doubted = [one for one in missing if one not in surrounded]
    return Judgment(
        deleted=tuple(deleted),
        suspected=tuple(one for one in surrounded if one not in deleted),
        doubted=tuple(doubted),
        doubt=doubt or ("not_surrounded" if doubted else ""),
        stored=stored,
    )


def _is_proven(one: Missing, before: Suspicion | None, reads: StreamReads) -> bool:
    if before is None or not before.is_believed:
        return False
    return reads.started_at(one.event_at) - before.since >= APART


def doubt_of(
    missing: Sequence[Missing],
    suspicions: Mapping[str, Suspicion],
    reads: StreamReads,
) -> Doubt:
    """Return why it is not believed that records are missing, or "".

    Records that were missing in an earlier, believable run do not count again: else a
    few in each run would add up to many, and none would ever be proven.
    """
    believed = {key for key, one in suspicions.items() if one.is_believed}
    new = sum(one.record_id not in believed for one in missing)
    if new > most_at_once(_stored(missing, reads)):
        return "too_many"
    return "" if reads.has_control or not missing else "no_control"


def _stored(missing: Sequence[Missing], reads: StreamReads) -> int:
    return sum(read.listed for read in reads.reads) + len(missing)


def days_beside(missing: Iterable[Missing], reads: StreamReads) -> list[Interval]:
    """Return the UTC days that must also be read before a record counts as missing."""
    gaps = merge(gap for one in missing for gap in reads.unread_around(one.event_at))
    days = sorted({midnight(start) for gap in gaps for start, _ in split(gap)})
    return [(day, min(day + DAY, reads.until)) for day in days]
