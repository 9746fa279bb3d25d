"""EvoVoice's /billing/usage: what its carrier counted, in categories within others.

The document has one record; categories and their nesting are those of the carrier.
"""

from collections import defaultdict
from datetime import date
from decimal import Decimal

from pipelines.sandbox.archive import Archive
from pipelines.sandbox.evovoice import history as past
from pipelines.sandbox.evovoice.rating import direction, minutes
from pipelines.sandbox.world import midnight

CATEGORIES = {
    "inbound": ("calls", "calls-inbound", "calls-inbound-local"),
    "outbound": ("calls", "calls-outbound"),
    "internal": ("calls", "calls-client"),
}
PRICE = Decimal("0.0085")


def records(
    archive: Archive[past.Session], account_id: str, first: date, last: date
) -> list[dict[str, object]]:
    """Return a record of each category, of the calls that were created on the days."""
    now = archive.world.clock.now
    calls: defaultdict[str, int] = defaultdict(int)
    used: defaultdict[str, Decimal] = defaultdict(Decimal)
    for session in archive.between(account_id, midnight(first), midnight(last)):
        if session.channel in {"Chat", "Fax"} or now < session.ended:
            continue
        for category in CATEGORIES[direction(session)]:
            calls[category] += 1
            used[category] += minutes(session, session.created)
    return [
        {
            "accountSid": f"AC{account_id:0>32}",
            "category": category,
            "count": count,
            "countUnit": "calls",
            "description": category.replace("-", " "),
            "startDate": f"{first:%Y-%m-%d}",
            "endDate": f"{last:%Y-%m-%d}",
            "usage": str(used[category]),
            "usageUnit": "minutes",
            "price": used[category] * PRICE,
            "priceUnit": "usd",
            "uri": f"/2010-04-01/Usage/Records?Category={category}",
        }
        for category, count in sorted(calls.items())
    ]
