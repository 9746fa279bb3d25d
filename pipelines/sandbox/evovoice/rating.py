"""EvoVoice's price lists, and what each voice session of a month costs by them.

The vendor reports no cost; this is its billing settings read literally: the allowance
of an item is used up in the order of creation within the UTC month.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from pipelines.sandbox.archive import Archive
from pipelines.sandbox.evovoice import history as past
from pipelines.sandbox.wire import plain
from pipelines.sandbox.world import Truth, World, thousandths

ZERO = Decimal(0)
MINUTE = timedelta(minutes=1)
ITEMS = {"Incoming": "inboundVoiceCalls", "Outgoing": "outboundVoiceCalls"}
DIRECTIONS = {"Incoming": "inbound", "Outgoing": "outbound"}

Rates = dict[str, Decimal | None]
Month = tuple[str, int, int]


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


def settings(world: World, account_id: str) -> dict[str, object]:
    """Return the account's `billingSettings`; allowances last about ten days."""
    minutes = world.volume * 20
    inbound: dict[str, object] = {
        "baseCost": Decimal("12.5"),
        "rawUnitMultiplier": Decimal("1.0"),
        "unitCost": Decimal("0.02"),
        "allowance": minutes,
    }
    outbound: dict[str, object] = {
        "baseCost": Decimal("0.0"),
        "rawUnitMultiplier": Decimal("1.15"),
        "unitCost": Decimal("0.0315"),
        "allowance": minutes // 2,
    }
    base = {"baseCost": Decimal("49.0"), "unitCost": Decimal("0.0"), "allowance": 0}
    items: dict[str, object] = {"base": base, "aIInsights": base}
    if account_id.endswith("02"):
        del inbound["rawUnitMultiplier"]
        return items | {"inboundVoiceCalls": inbound | {"allowance": minutes // 3}}
    if account_id not in (past.FOREIGN_ACCOUNT, f"5f8e{0:018x}01"):
        outbound["rawUnitMultiplier"] = Decimal("0.0")
    return items | {"inboundVoiceCalls": inbound, "outboundVoiceCalls": outbound}


def _rate(archive: Archive[past.Session], month: Month, now: datetime) -> Rates:
    account_id, year, number = month
    first = datetime(year, number, 1, tzinfo=now.tzinfo)
    last = min(first + timedelta(days=31), now)
    prices = settings(archive.world, account_id)
    used = dict.fromkeys(ITEMS.values(), ZERO)
    costs: Rates = {}
    sessions = archive.between(account_id, first, last)
    for session in sorted(sessions, key=lambda s: (s.created, s.session_id)):
        voice = session.channel == "Voice" and session.created.month == number
        if not voice or now < session.ended:
            continue
        item = ITEMS[session.direction]
        price = prices.get(item)
        if isinstance(price, dict):
            factor = price.get("rawUnitMultiplier") or Decimal(1)
            before = _charge(price, used[item])
            used[item] += _units(session) * factor
            costs[session.session_id] = _charge(price, used[item]) - before
    return costs


def _charge(price: dict[str, Decimal], units: Decimal) -> Decimal:
    return max(ZERO, units - price["allowance"]) * price["unitCost"]


def _units(session: past.Session) -> Decimal:
    if session.missed:
        return ZERO
    return Decimal(-((session.created - session.ended) // MINUTE))


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
    return Truth(
        vendor="evovoice",
        account=alias.lower(),
        vendor_call_id=session.session_id,
        event_at=session.created,
        started_at=session.created,
        ended_at=session.ended if completed else None,
        direction=DIRECTIONS[session.direction],
        total_seconds=plain(thousandths(millis)) if completed else None,
        cost=cost,
        currency=None if cost is None else "USD",
        lines=[] if cost is None else [{"component": "telephony", "amount": cost}],
        leg_count=len(session.members(now)),
        vendor_outcome=session.outcome if ended else None,
    )
