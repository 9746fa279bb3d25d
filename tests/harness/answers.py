"""What happens to a vendor's answers: faults, hidden days, calls deleted meanwhile."""

from harness import events
from harness.history import PAGE_SIZE, READ_AGAIN, History
from sandbox_control import stamp

from pipelines.planning.windows import DAY


def spoil_answers(history: History) -> None:
    """Arm faults, and hide days or everything of a vendor."""
    for vendor in history.vendors:
        if history.rng.random() < history.odds.fault:
            fault = events.fault(history.rng, vendor, history.odds)
            history.control("faults", **fault)
            history.is_healthy &= fault["kind"] in events.HARMLESS
            history.say(f"fault: {fault}")
        if history.rng.random() < history.odds.meanwhile:
            change_meanwhile(history, vendor)
        if history.before.facts and history.rng.random() < history.odds.blank:
            history.control("blank", vendors=[vendor])
            history.hidden.add((vendor, None))
            history.is_healthy = False
            history.counts["answers: nothing listed"] += 1
            history.say(f"{vendor} lists nothing")
        elif history.rng.random() < history.odds.hidden_day:
            hide_a_day(history, vendor)


def hide_a_day(history: History, vendor: str) -> None:
    day = (history.now - history.rng.randint(0, READ_AGAIN[vendor]) * DAY).date()
    history.control("blank", vendors=[vendor], days=[f"{day}"])
    history.hidden.add((vendor, day))
    history.is_healthy = False
    history.counts["answers: day hidden"] += 1
    history.say(f"{vendor} hides {day}")


def change_meanwhile(history: History, vendor: str) -> None:
    """Delete a call while its day is listed: of those that no run has seen yet.

    Before the first run that is its first day, whose second page is the first of
    all later pages: what moves up there into the first page is seen by nobody.
    """
    fresh = sorted(
        (call.event_at, key)
        for key, call in history.calls(vendor).items()
        if call.event_at >= max(history.since, history.last_run or history.since)
    )
    if history.last_run is None and fresh:
        fresh = [one for one in fresh if one[0].date() == fresh[0][0].date()]
    if not fresh:
        return
    moment, key = history.rng.choice([*fresh[:PAGE_SIZE], *fresh[-PAGE_SIZE:]])
    kind = history.rng.choice(("meanwhile", "later_page", "later_page"))
    body = {"vendor": vendor, "ids": [key.call_id]}
    after = history.rng.randint(0, 3) if kind == "meanwhile" else 0
    history.control("faults", vendor=vendor, kind=kind, body=body, after=after)
    history.excused.add(key)
    history.deleted[key] = moment
    history.say(f"{key} of {stamp(moment)} is deleted at a {kind}")
