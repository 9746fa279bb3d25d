"""What happens to calls between two nights: they are deleted, moved, listed late."""

from collections import Counter
from datetime import timedelta

from harness.history import MOST_MISSING, READ_AGAIN, History
from sandbox_control import stamp

from pipelines.planning.windows import DAY


def change_calls(history: History) -> None:
    """Let things happen to calls of every vendor."""
    for vendor in history.vendors:
        for change in (restore, move, delete, late, undate, erase):
            if history.rng.random() < getattr(history.odds, change.__name__):
                change(history, vendor)


def delete(history: History, vendor: str) -> None:
    """Delete a few; of a sparse day, now and then, all of it."""
    waiting = [
        key
        for key in history.deleted
        if key.vendor == vendor and key not in history.before.deleted
    ]
    room = MOST_MISSING - len(waiting)
    living = history.living(vendor)
    days = Counter(moment.date() for moment in living.values())
    small = [day for day, count in days.items() if count <= room]
    if history.rng.random() < history.odds.empty:
        day = history.rng.choice(small) if small else None
        keys = [key for key, moment in living.items() if moment.date() == day]
        history.counts["calls: day emptied"] += bool(keys)
    else:
        keys = history.rng.sample(sorted(living), k=max(0, min(2, room, len(living))))
    for key in keys:
        history.control("removed", vendor=vendor, ids=[key.call_id])
        history.deleted[key] = living[key]
        history.counts["calls: deleted"] += 1
        history.say(f"{key} of {stamp(living[key])} is deleted")


def restore(history: History, vendor: str) -> None:
    for key, moment in sorted(history.deleted.items()):
        if key.vendor == vendor and history.is_young(vendor, moment):
            history.control("removed", vendor=vendor, ids=[key.call_id], removed=False)
            del history.deleted[key]
            history.counts["calls: restored"] += 1
            history.say(f"{key} of {stamp(moment)} is restored")
            return


def move(history: History, vendor: str) -> None:
    """Move a call within its day or to a neighbour, to an edge now and then."""
    living = history.living(vendor)
    if not living:
        return
    key = history.rng.choice(sorted(living))
    midnight = living[key].replace(hour=0, minute=0, second=0, microsecond=0)
    second = history.rng.choice((0, 86_399, history.rng.randrange(86_400)))
    new = midnight + history.rng.choice((-1, 0, 1)) * DAY + timedelta(seconds=second)
    if history.is_young(vendor, new) and new < history.now - DAY / 8:
        noted = history.rng.random() < 1 / 2
        said = {"ids": [key.call_id], "start": stamp(new), "noted": noted}
        history.control("moved", vendor=vendor, **said)
        history.counts["calls: moved"] += 1
        history.say(f"{key} moves from {stamp(living[key])} to {stamp(new)}")


def late(history: History, vendor: str) -> None:
    """List a call that no run could see yet one day or more after its start."""
    if history.last_run is None:
        return
    fresh = [
        key
        for key, call in sorted(history.calls(vendor).items())
        if call.event_at > history.last_run
    ]
    if fresh:
        key = history.rng.choice(fresh)
        days = history.rng.randint(1, READ_AGAIN[vendor])
        history.control("late", vendor=vendor, ids=[key.call_id], days=days)
        history.counts["calls: listed late"] += 1
        history.say(f"{key} is listed {days} days late")


def undate(history: History, vendor: str) -> None:
    if vendor in {"evovoice", "twin", "whippy"} and (living := history.living(vendor)):
        key = history.rng.choice(sorted(living))
        history.control("undated", vendor=vendor, ids=[key.call_id])
        history.counts["calls: undated"] += 1
        history.say(f"{key} loses its time of change")


def erase(history: History, vendor: str) -> None:
    if vendor == "twin" and (living := history.living(vendor)):
        key = history.rng.choice(sorted(living))
        history.control("erased", vendor=vendor, ids=[key.call_id])
        history.counts["calls: erased"] += 1
        history.say(f"{key} is depersonalised")
