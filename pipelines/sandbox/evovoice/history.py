"""EvoVoice's sessions, and how one looks at a moment."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from pipelines.sandbox import draw
from pipelines.sandbox.world import Correction, World, last_change

MILLI = timedelta(milliseconds=1)
OFFICE = ZoneInfo("America/Denver")
LONGEST_LAG = timedelta(hours=59)
FOREIGN_ACCOUNT = "5f8effffffffffffffffff01"

# An account named second shares its login with the first, so it gets fewer calls.
SHARES = {"01": 0.7, "02": 0.3}

OUTCOMES = ("Answered", "Voicemail", "Abandoned", "Declined", "Übergeben", "")
OUTCOME_WEIGHTS = (70, 10, 10, 4, 3, 3)
FRIENDLY_WEIGHTS = (76, 10, 10, 4, 0, 0)
CENTRE = 0
SUITES = range(1, 6)
ABOVE = {1: (CENTRE,), 2: (CENTRE,), 3: (CENTRE,), 4: (CENTRE, 3), 5: ()}
"""The customers above a suite, the outermost first."""
RECEPTION = tuple((f"62cc{n:020x}", name) for n, name in enumerate(draw.PEOPLE))


@dataclass(frozen=True)
class Session:
    """One session: created, answered, completed, touched once more, archived."""

    session_id: str
    account_id: str
    created: datetime
    answered: datetime | None
    ended: datetime
    completed: bool
    touched: datetime
    archived: datetime
    form: str
    channel: str
    direction: str
    missed: bool
    outcome: str
    parent_id: str | None
    opening: dict[str, object]
    closing: dict[str, object]
    lines: tuple[tuple[timedelta, str], ...] = ()
    """What the log says, and how long after the creation."""
    correction: Correction = field(default_factory=Correction)

    def modified(self, now: datetime) -> datetime:
        """When the session last changed before a moment; archiving changes nothing."""
        changes = (self.created, self.answered, self.ended, self.touched)
        return last_change(now, changes, self.correction) or self.created

    @property
    def suite(self) -> int:
        """Return the number of the suite whose session it is."""
        return int(str(self.opening["customerId"])[4:22], 16)

    def members(self, now: datetime) -> list[dict[str, object]]:
        """Who takes part: the caller, and the one who answered from then on."""
        caller = {"identity": "caller", "role": "Caller", "isOriginalMember": True}
        if self.answered is None or now < self.answered:
            return [caller]
        agent = {"identity": "rec1", "role": "Agent", "isOriginalMember": False}
        return [caller, agent]


def history(world: World, account_id: str, day: date) -> tuple[Session, ...]:
    """Every session created on the day in one EvoVoice account."""
    rng = draw.generator(world, "evovoice", account_id, day)
    share = 0.2 if account_id == FOREIGN_ACCOUNT else SHARES[account_id[-2:]]
    sessions: list[Session] = []
    for moment in draw.arrivals(world, rng, day, OFFICE, share):
        created = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        parent = sessions[-1] if sessions and draw.chance(rng, 0.03) else None
        if parent is not None:
            conference = {"conferenceSid": f"CF{parent.session_id:0>32}"}
            sessions[-1] = replace(parent, opening=parent.opening | conference)
        session = _session(rng, created, account_id, parent)
        own = draw.generator(world, "evovoice log", session.session_id)
        sessions.append(_logged(own, session))
    return tuple(sessions)


def customer_id(account_id: str, number: int) -> str:
    """Return the id of a suite, or of the centre, in an account."""
    return f"60aa{number:018x}{account_id[-2:]}"


def customer_name(number: int) -> str:
    """Return the name of a suite, or of the centre."""
    return f"Suite {number}" if number else "Centre A"


def breadcrumb(account_id: str, suite: int) -> list[dict[str, str]]:
    """Return the customers above a suite, the outermost first."""
    return [
        {"id": customer_id(account_id, n), "name": customer_name(n)}
        for n in ABOVE.get(suite, ())
    ]


def _logged(rng: Random, session: Session) -> Session:
    """Return a session with what its log will say; a few are between own devices."""
    opening = session.opening
    if draw.chance(rng, 0.03):
        opening = opening | {"fromAddress": "client:desk1", "toAddress": "client:desk2"}
    lines = [(timedelta(0), "Call started")]
    length = session.ended - session.created
    if session.channel == "Voice":
        if session.missed or session.answered is None:
            lines.append((min(length, timedelta(milliseconds=400)), "Ringing"))
        else:
            lines += _conversation(rng, session.answered - session.created, length)
        lines.append((length, "Call ended"))
    if draw.chance(rng, 0.02) and not draw.is_friendly(rng):
        lines.append((length, "A supervisor whispered"))
    return replace(session, opening=opening, lines=tuple(lines))


def _conversation(
    rng: Random, wait: timedelta, length: timedelta
) -> Iterator[tuple[timedelta, str]]:
    name = rng.choice(draw.PEOPLE)
    if draw.chance(rng, 0.4):
        yield wait / 4 // MILLI * MILLI, "Queued in Front desk"
    yield wait / 2 // MILLI * MILLI, f"Ringing {name}"
    yield wait, f"Answered by {name}"
    if draw.chance(rng, 0.2):
        yield (wait + (length - wait) / 4) // MILLI * MILLI, "Placed on hold"
        yield (wait + (length - wait) / 2) // MILLI * MILLI, "Resumed"


def corrected(session: Session, correction: Correction) -> Session:
    """Return the session with every time of the conversation moved."""
    by, answered = correction.by, session.answered
    return replace(
        session,
        created=session.created + by,
        answered=None if answered is None else answered + by,
        ended=session.ended + by,
        correction=correction,
    )


def _session(
    rng: Random, created: datetime, account_id: str, parent: Session | None
) -> Session:
    channel = draw.word(rng, ("Voice", "Chat", "Fax"), (85, 10, 5), "Video")
    voice = channel == "Voice"
    missed = voice and draw.chance(rng, 0.18)
    length = _length(rng, channel, missed=missed)
    ended = created + timedelta(milliseconds=round(length * 1000))
    ringing = timedelta(milliseconds=rng.randrange(500, 20_000))
    answered = created + min(ringing, ended - created)
    late = draw.later(rng, 60, 144_000) if draw.chance(rng, 0.1) else timedelta(0)
    direction = rng.choices(("Incoming", "Outgoing"), (65, 35))[0]
    weights = FRIENDLY_WEIGHTS if draw.is_friendly(rng) else OUTCOME_WEIGHTS
    outcome = draw.word(rng, OUTCOMES, weights, "Routed to AI")
    forms = (1, 0, 0, 0) if draw.is_friendly(rng) else (85, 11, 2, 2)
    return Session(
        session_id=f"{int(created.timestamp()):08x}{rng.getrandbits(64):016x}",
        account_id=account_id,
        created=created,
        answered=None if missed else answered,
        ended=ended,
        completed=not (missed and draw.fault(rng, 0.5)),
        touched=min(ended + late, created + LONGEST_LAG),
        archived=created + timedelta(days=rng.uniform(14.2, 15.8)),
        form=rng.choices(("zoned", "naive", "epoch", "epoch0"), forms)[0],
        channel=channel,
        direction=direction,
        missed=missed,
        outcome="Missed" if missed else outcome,
        parent_id=None if parent is None else parent.session_id,
        opening=_opening(rng, account_id, direction, parent),
        closing=_closing(rng, outcome),
    )


def _length(rng: Random, channel: str, *, missed: bool) -> float:
    if channel == "Chat":
        return rng.uniform(60, 172_800)
    if missed:
        return rng.uniform(2, 45)
    if draw.chance(rng, 0.05):
        return float(60 * rng.randint(0, 4))
    return draw.lasting(rng, 170)


def _opening(
    rng: Random, account_id: str, direction: str, parent: Session | None
) -> dict[str, object]:
    suite = rng.choice(SUITES)
    outside, inside = draw.party(rng), draw.phone(rng)
    incoming = direction == "Incoming"
    opening: dict[str, object] = {
        "accountId": account_id,
        "accountName": f"Offices {account_id[-2:]}",
        "customerId": customer_id(account_id, suite),
        "customerName": customer_name(suite),
        "customerBreadcrumb": breadcrumb(account_id, suite) or None,
        "endpointId": f"61bb{rng.randrange(9):020x}",
        "fromAddress": outside if incoming else inside,
        "toAddress": inside if incoming else outside,
        "holdReason": "None",
        "direction": direction,
        "createdBy": "system",
    }
    draw.optional(rng, opening, "fromName", rng.choice(draw.people(rng)))
    draw.optional(rng, opening, "callSid", f"CA{rng.getrandbits(128):032x}")
    if parent is not None:
        opening["conferenceSid"] = f"CF{parent.session_id:0>32}"
    return opening


def _closing(rng: Random, outcome: str) -> dict[str, object]:
    closing: dict[str, object] = {"consoleData": rng.choice((None, "", '{"note":1}'))}
    if outcome == "Answered" or draw.chance(rng, 0.2):
        number, name = rng.choice(tuple(enumerate(draw.people(rng))))
        closing |= {"answeredById": f"62cc{number:020x}", "answeredByName": name}
    return closing


def record(session: Session, now: datetime) -> dict[str, object] | None:
    """Return the session as listed at `now`; None before it was created.

    Members that are null are left out, as the vendor's framework does.
    """
    if now < session.created:
        return None
    ended = now >= session.ended
    talking = session.answered is not None and now >= session.answered and not ended
    ringing = not ended and not talking
    shown: dict[str, object] = {
        "id": session.session_id,
        "dateCreated": stamp(session.created, session.form),
        "dateLastModified": stamp(session.modified(now), session.form)
        if session.correction.is_dated
        else None,
        **session.opening,
        "channel": session.channel,
        "dialState": "None" if ended else "Active",
        "callState": "Ringing"
        if ringing
        else "Connected"
        if talking
        else "Disconnected",
        "queueState": "Disconnected" if ended else "None",
        "ended": ended,
        "wasMissed": session.missed and ended,
        "members": session.members(now),
        "log": [
            {"date": stamp(session.created + after, "zoned"), "message": message}
            for after, message in session.lines
            if session.created + after <= now
        ],
    }
    if ended:
        shown["outcome"] = session.outcome
        if session.completed:
            shown["dateCompleted"] = stamp(session.ended, session.form)
        if not session.missed and now >= session.touched:
            shown |= session.closing
    return {name: value for name, value in shown.items() if value is not None}


def stamp(moment: datetime, form: str) -> str:
    """One of the date forms the vendor's framework is known to write."""
    millis = moment.microsecond // 1000
    if form in ("zoned", "naive"):
        text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{text}.{millis:03d}{'0000Z' if form == 'zoned' else ''}"
    epoch = int(moment.timestamp()) * 1000 + millis
    return f"/Date({epoch}{'+0000' if form == 'epoch0' else ''})/"
