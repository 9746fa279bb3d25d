"""EvoVoice's price lists, and what each voice session of a month costs by them.

The vendor reports no cost; this is its billing settings read literally: the allowance
of an item is used up in the order of creation within the UTC month, by all sessions
with the same prices: those of an account, or of a customer of it that overrides them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from pipelines.sandbox.archive import Archive
from pipelines.sandbox.evovoice import history as past
from pipelines.sandbox.wire import plain
from pipelines.sandbox.world import Truth, World, has_given_up, thousandths

ZERO = Decimal(0)
MINUTE = timedelta(minutes=1)
ITEMS = {"Incoming": "inboundVoiceCalls", "Outgoing": "outboundVoiceCalls"}
DIRECTIONS = {"Incoming": "inbound", "Outgoing": "outbound"}

Rates = dict[str, Decimal | None]
Month = tuple[str, int, int]
Prices = dict[str, Decimal]


@dataclass(frozen=True, eq=False)
class Ratings:
    """Costs by session of the months rated so far, at one reading of the clock."""

    archive: Archive[past.Session]
    months: dict[tuple[Month, datetime], Rates] = field(default_factory=dict)

    def of(self, session: past.Session) -> Decimal | None:
        """Cost of a session at the clock; None when it has none (yet)."""
        now = self.archive.world.clock.now
        created = session.created
        month = (session.account_id, created.year, created.month)
        for old in [key for key in self.months if key[1] != now]:
            del self.months[old]
        if (month, now) not in self.months:
            self.months[month, now] = _rate(self.archive, month, now)
        return self.months[month, now].get(session.session_id)


def settings(world: World, account_id: str) -> dict[str, Prices]:
    """Return the account's `billingSettings`; allowances last about ten days."""
    minutes = Decimal(world.volume * 20)
    inbound: Prices = {
        "baseCost": Decimal("12.5"),
        "rawUnitMultiplier": Decimal("1.0"),
        "unitCost": Decimal("0.02"),
        "allowance": minutes,
    }
    outbound: Prices = {
        "baseCost": Decimal("0.0"),
        "rawUnitMultiplier": Decimal("1.15"),
        "unitCost": Decimal("0.0315"),
        "allowance": minutes // 2,
    }
    base: Prices = {
        "baseCost": Decimal("49.0"),
        "unitCost": Decimal("0.0"),
        "allowance": ZERO,
    }
    items: dict[str, Prices] = {"base": base, "aIInsights": base}
    if account_id not in (past.FOREIGN_ACCOUNT, f"5f8e{0:018x}01"):
        outbound["rawUnitMultiplier"] = Decimal("0.0")
    return items | {"inboundVoiceCalls": inbound, "outboundVoiceCalls": outbound}


def is_byoa(account_id: str) -> bool:
    """Return whether an account pays its carrier itself."""
    return account_id.endswith("02")


def customers(world: World, account_id: str) -> list[dict[str, object]]:
    """Return the customers of an account; two suites have prices of their own."""
    return [
        {
            "id": past.customer_id(account_id, number),
            "accountId": account_id,
            "name": past.customer_name(number),
            "breadcrumb": past.breadcrumb(account_id, number),
            "overrideBillingSettings": number in OVERRIDING,
            "billingSettings": _own_settings(world, number),
            "dateCreated": "2023-05-06T07:08:09.0000000Z",
        }
        for number in (past.CENTRE, *past.SUITES)
    ]


def price_items(
    world: World, account_ids: Iterable[str]
) -> Iterator[dict[str, object]]:
    """Yield each item of the price lists that calls are rated by, and whose it is."""
    for account_id in account_ids:
        for (kind, owner_id), items in _price_lists(world, account_id).items():
            for item, prices in items.items():
                yield {
                    "account": account_id,
                    "owner_kind": kind,
                    "owner": owner_id,
                    "item": item,
                    "prices": {name: str(price) for name, price in prices.items()},
                }


def _price_lists(
    world: World, account_id: str
) -> dict[tuple[str, str], dict[str, Prices]]:
    """Return the lists of an account and its customers, by kind and id of the owner."""
    lists = {("account", account_id): settings(world, account_id)}
    for number in OVERRIDING:
        owner = ("customer", past.customer_id(account_id, number))
        lists[owner] = _own_settings(world, number)
    return lists


OVERRIDING = {2, 3}


def _own_settings(world: World, number: int) -> dict[str, Prices]:
    minutes = Decimal(world.volume * 2)
    inbound: Prices = {"unitCost": Decimal("0.025"), "allowance": minutes}
    items: dict[str, Prices] = {"inboundVoiceCalls": inbound}
    if number == 3:  # noqa: PLR2004
        base: Prices = {
            "baseCost": Decimal("5.0"),
            "unitCost": Decimal("0.0"),
            "allowance": ZERO,
        }
        outbound: Prices = inbound | {
            "rawUnitMultiplier": Decimal("2.0"),
            "allowance": ZERO,
        }
        items |= {"base": base, "outboundVoiceCalls": outbound, "aiLiveMinutes": base}
    return items


def price_owner(session: past.Session) -> str:
    """Return the id of whose prices a session is rated by."""
    own = {past.customer_id(session.account_id, number) for number in OVERRIDING}
    chain = [payer["id"] for payer in payers(session)]
    return next((one for one in chain if one in own), session.account_id)


def payers(session: past.Session) -> list[dict[str, str]]:
    """Return who pays for a session, the nearest first."""
    chain = [
        {"kind": "customer", "id": past.customer_id(session.account_id, number)}
        | {"name": past.customer_name(number)}
        for number in (session.suite, *reversed(past.ABOVE[session.suite]))
    ]
    name = str(session.opening["accountName"])
    return [*chain, {"kind": "account", "id": session.account_id, "name": name}]


def _rate(archive: Archive[past.Session], month: Month, now: datetime) -> Rates:
    account_id, year, number = month
    first = datetime(year, number, 1, tzinfo=now.tzinfo)
    last = min(first + timedelta(days=31), now)
    found = _price_lists(archive.world, account_id).items()
    lists = {owner: items for (_, owner), items in found}
    used: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    costs: Rates = {}
    if is_byoa(account_id):
        return costs
    sessions = archive.between(account_id, first, last)
    for session in sorted(sessions, key=lambda s: (s.created, s.session_id)):
        voice = session.channel == "Voice" and session.created.month == number
        if not voice or now < session.ended:
            continue
        owner, item = price_owner(session), ITEMS[session.direction]
        if price := lists[owner].get(item):
            factor = price.get("rawUnitMultiplier") or Decimal(1)
            before = _charge(price, used[owner, item])
            used[owner, item] += units(session, now) * factor
            costs[session.session_id] = _charge(price, used[owner, item]) - before
    return costs


def _charge(price: dict[str, Decimal], units: Decimal) -> Decimal:
    return max(ZERO, units - price["allowance"]) * price["unitCost"]


def units(session: past.Session, now: datetime) -> Decimal:
    """Return the begun minutes of a session that are paid.

    A missed one has none; of an outbound one they count from the answer that its log
    tells, and there are none where it tells no answer and nobody took it.
    """
    answered = _answered_at(session)
    begun = session.created
    if not session.missed and session.direction == "Outgoing":
        has_answerer = now >= session.touched and "answeredById" in session.closing
        if answered is None and not has_answerer and session.outcome in UNANSWERED:
            return ZERO
        begun = session.created if answered is None else min(answered, session.ended)
    return minutes(session, begun)


def minutes(session: past.Session, begun: datetime) -> Decimal:
    """Return the begun minutes of a session from a time on; a missed one has none."""
    return ZERO if session.missed else Decimal(-((begun - session.ended) // MINUTE))


UNANSWERED = {"Abandoned", "Busy", "Canceled", "Declined", "Failed", "Missed"}
UNANSWERED |= {"No Answer", "Rejected"}


def _answered_at(session: past.Session) -> datetime | None:
    """Return when the log says that the session was answered, if all of it is known."""
    words = [(after, message.split()[0]) for after, message in session.lines]
    if any(word == UNKNOWN for _, word in words):
        return None
    times = [after for after, word in words if word == "Answered"]
    return session.created + min(times) if times else None


def truth(
    archive: Archive[past.Session],
    accounts: dict[str, tuple[str, ...]],
    since: datetime,
    until: datetime,
) -> Iterator[Truth]:
    """All but chats and faxes created in [since, until) and not after the clock."""
    ratings = Ratings(archive)
    now = archive.world.clock.now
    for alias, account_ids in accounts.items():
        for account_id in account_ids:
            for session in archive.between(account_id, since, until):
                asked = since <= session.created < until
                # A channel that no document knows may be a call.
                call = session.channel not in {"Chat", "Fax"}
                if asked and call and session.created <= now:
                    yield _row(session, alias, now, ratings.of(session))


def _row(
    session: past.Session, alias: str, now: datetime, price: Decimal | None
) -> Truth:
    ended = now >= session.ended
    completed = ended and session.completed
    millis = (session.ended - session.created) // timedelta(milliseconds=1)
    cost = None if price is None else plain(price)
    outcome = _outcome(session, now, _answerer(session, now))
    return Truth(
        vendor="evovoice",
        account=alias.lower(),
        vendor_call_id=session.session_id,
        event_at=session.created,
        started_at=session.created,
        ended_at=session.ended if completed else None,
        direction=direction(session),
        total_seconds=plain(thousandths(millis)) if completed else None,
        cost=cost,
        currency=None if cost is None else "USD",
        lines=[] if cost is None else [{"component": "telephony", "amount": cost}],
        legs=[{"seconds": None, "cost": None} for _ in session.members(now)],
        vendor_outcome=session.outcome if ended else None,
        durations=_durations(session) if completed else {},
        payers=payers(session),
        outcome=outcome,
        is_answered=_answered(outcome),
        is_abandoned=has_given_up(outcome, is_inbound=direction(session) == "inbound"),
    )


WORDS = {"Voicemail": "voicemail", "Abandoned": "abandoned", "Declined": "rejected"}
"""Of a call that nobody took, whoever is named."""


def _answerer(session: past.Session, now: datetime) -> object:
    is_named = not session.missed and now >= max(session.ended, session.touched)
    return session.closing.get("answeredById") if is_named else None


def _outcome(session: past.Session, now: datetime, answerer: object) -> str:
    if now < session.ended:
        return "in_progress"
    if session.missed:
        return "missed"
    is_taken = session.outcome == "Answered" or answerer
    return WORDS.get(session.outcome, "answered" if is_taken else "unknown")


def _answered(outcome: str) -> bool | None:
    return None if outcome in {"unknown", "in_progress"} else outcome == "answered"


def direction(session: past.Session) -> str:
    """Return the direction of a session in the words of the unified model."""
    sides = (session.opening["fromAddress"], session.opening["toAddress"])
    if all(str(side).startswith("client:") for side in sides):
        return "internal"
    return DIRECTIONS[session.direction]


PARTS = {"Ringing": "ring", "Queued": "queue", "Answered": "talk", "Resumed": "talk"}
PARTS |= {"Placed": "hold", "Call": ""}
UNKNOWN = "A"


def _durations(session: past.Session) -> dict[str, str]:
    """Return the seconds of the parts of a session, as its log tells them."""
    found: defaultdict[str, timedelta] = defaultdict(timedelta)
    if any(message.split()[0] == UNKNOWN for _, message in session.lines):
        return {}
    ends = [after for after, _ in session.lines[1:]]
    for (after, message), end in zip(session.lines, ends, strict=False):
        if part := PARTS[message.split()[0]]:
            found[f"{part}_seconds"] += end - after
    return {
        part: plain(thousandths(time // past.MILLI)) for part, time in found.items()
    }
