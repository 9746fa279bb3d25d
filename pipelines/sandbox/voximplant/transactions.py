"""Voximplant's ledger of money: what was withdrawn, and what is reserved so far."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal

from pipelines.sandbox.archive import Archive
from pipelines.sandbox.voximplant import history as past
from pipelines.sandbox.voximplant.lines import Line
from pipelines.sandbox.voximplant.record import stamp
from pipelines.sandbox.world import BEGINNING, DAY, days, midnight

LATEST = 3 * DAY
"""How long after its session began a line gets its price, at the latest."""
FEE_AT = timedelta(minutes=10)
FEE_PLACE = 99_999


@dataclass(frozen=True)
class Transaction:
    """A charge: reserved from `reserved`, withdrawn from `performed` on."""

    number: int
    account: int
    reserved: datetime
    performed: datetime
    amount: Decimal
    kind: str
    facts: dict[str, object]


def of_session(session: past.Session) -> Iterator[Transaction]:
    """Yield the charges of a session, each once however often it is shown."""
    seen = {0}
    for line in (*session.legs, *session.records, *session.resources):
        if line.cost is None or line.transaction in seen:
            continue
        seen.add(line.transaction)
        yield Transaction(
            line.transaction,
            int(str(session.facts["account_id"])),
            line.ended,
            line.priced,
            -line.cost,
            "resource_charge",
            {
                "application_id": session.facts["application_id"],
                "application_name": session.facts["application_name"],
                "resource_type": _resource(line),
            },
        )


def _resource(line: Line) -> object:
    named = line.facts.get("resource_type")
    if named is not None:
        return named
    return "AUDIORECORD" if line.component == "recording" else "PSTN"


def listed(
    archive: Archive[past.Session],
    alias: str,
    since: datetime,
    until: datetime,
    *,
    reserved: bool,
) -> list[Transaction]:
    """Return those withdrawn in [since, until], or those reserved now, by time."""
    now = archive.world.clock.now
    account = int(archive.world.credentials[alias].voximplant_account_id)
    charges = [
        one
        for day in days(since - LATEST, min(until, now))
        for session in archive.calls(alias, day)
        if session.start <= now and not session.is_of_child
        for one in of_session(session)
    ]
    if reserved:
        found = [one for one in charges if one.reserved <= now < one.performed]
    else:
        fees = (
            _fee(archive, alias, account, midnight(day)) for day in days(since, until)
        )
        found = [one for one in (*charges, *fees) if one.performed <= now]
        found = [one for one in found if since <= one.performed <= until]
    return sorted(found, key=lambda one: (one.performed, one.number))


def _fee(
    archive: Archive[past.Session], alias: str, account: int, start: datetime
) -> Transaction:
    """Return the day's fee for a telephone number, which no session is charged."""
    place = (start.date() - BEGINNING).days * 10 + archive.world.aliases.index(alias)
    number = past.FIRST_ID + 100_000_000 * place + FEE_PLACE * 1000
    at = start + FEE_AT
    amount = Decimal("-0.05")
    return Transaction(number * 10, account, at, at, amount, "phone_number_charge", {})


def shown(
    one: Transaction, currency: str, zone: tzinfo, *, is_extended: bool
) -> dict[str, object]:
    """Return the record of a transaction."""
    return {
        "transaction_id": one.number,
        "account_id": str(one.account),
        "performed_at": stamp(one.performed, zone),
        "amount": one.amount,
        "currency": currency,
        "transaction_type": one.kind,
        "transaction_description": one.kind.replace("_", " ").capitalize(),
        **(one.facts if is_extended else {}),
    }
