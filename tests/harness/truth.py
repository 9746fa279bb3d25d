"""What is published, compared with what the vendors have: call by call."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import ANY

import duckdb
from conftest import LAG, WITH_PARTS, exact, legs_of, parts_of
from sandbox_control import price_items, truth

from pipelines.planning.windows import DAY, read_time
from pipelines.sandbox.process import Sandbox

ALIAS = "alias of the account"
"""Stands for it: a harness may load one account of a vendor under many."""
FACTS = f"""
    select
        vendor, account, vendor_call_id, is_deleted, started_at, direction,
        total_seconds, cost_total, currency, vendor_outcome,
        coalesce(parts, map {{}}) as parts, coalesce(legs, []) as legs,
        coalesce(payers, []) as payers,
        call_type, outcome, is_answered, is_abandoned,
        ring_seconds, queue_seconds, talk_seconds, hold_seconds
    {WITH_PARTS}
    left join (
        select
            call_key,
            list(
                {{
                    'kind': payer_kind,
                    'id': if(
                        payer_id = split_part(call_key, ':', 2), '{ALIAS}', payer_id
                    ),
                    'name': payer_name
                }}
                order by level
            ) as payers
        from bridge_call_payers
        group by all
    ) using (call_key)
"""
DURATIONS = ("ring_seconds", "queue_seconds", "talk_seconds", "hold_seconds")
DERIVED = frozenset({"evovoice", "voximplant"})
"""Vendors whose truth has these durations of every call; others may have any."""
PRICE_ITEMS = """
    select
        vendor_account, price_owner_kind, price_owner, item,
        base_cost, raw_unit_multiplier, unit_cost, coalesce(allowance, 0)
    from account_price_items
    where vendor = 'evovoice' and valid_to is null
"""
PRICES = ("baseCost", "rawUnitMultiplier", "unitCost", "allowance")
LEFT_OUT = {"rawUnitMultiplier": "0", "allowance": "0"}
"""What the vendor means where it leaves a number out (evovoice.md, section 8)."""
SUSPECTED = """
    select vendor, account, record_id, since
    from ops.absences
    qualify row_number() over (
        partition by vendor, account, record, record_id
        order by load_no desc, read_at desc
    ) = 1 and state = 'suspected'
"""
UNPROVEN = """
    select vendor, account, window_start, window_end
    from ops.load_windows
    where state = 'complete' and purpose not in ('settle', 'audit') and split_of is null
    qualify row_number() over (
        partition by vendor, account, stream, window_start
        order by load_no desc, started_at desc
    ) = 1 and rows_quarantined > 0
"""
TABLES = """
    select schema_name || '.' || table_name from duckdb_tables()
    where table_name not in ('built_loads', 'build_state')
"""
LIVING = """
    select vendor, account, vendor_call_id, t::varchar
    from (
        select * exclude (first_loaded_at, last_loaded_at, load_id) from fact_calls
    ) as t
    where not is_deleted
"""
RATED_BY_MONTH = frozenset({"evovoice"})
"""Vendors of which a call's cost depends on the other calls of its month."""
COSTS = frozenset({3, 6, 7})
"""Where cost, costs by component and costs of legs stand in a fact."""
EARLIER = timedelta(days=45)
"""Calls from before the history are there where a price needs the whole month."""


class Key(NamedTuple):
    """What a call is known by."""

    vendor: str
    account: str
    call_id: str


@dataclass(frozen=True)
class Call:
    """A call that a vendor has: when it is listed, and what must be published of it."""

    event_at: datetime
    ended_at: datetime | None
    fact: tuple[Any, ...]


@dataclass(frozen=True)
class Published:
    """The calls of the published file."""

    facts: Mapping[Key, tuple[Any, ...]]
    deleted: frozenset[Key]
    twice: tuple[Key, ...]
    suspected: Mapping[Key, datetime]
    """Calls that one run has missed; a second one must, before they are deleted."""
    unproven: tuple[tuple[str, str, datetime, datetime], ...] = ()
    """Vendor, account and span of windows whose last read had a record that could not
    be read: it may be any of those that did not come. The audit counts them later."""

    def is_unproven(self, key: Key, moment: datetime) -> bool:
        """Return whether a call may be one that could not be read."""
        return any(
            key[:2] == (vendor, account) and start <= moment < end
            for vendor, account, start, end in self.unproven
        )


def published(file: Path) -> Published:
    """Return what analysts see; empty before the first run."""
    if not file.exists():
        return Published({}, frozenset(), (), {})
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        rows = connection.execute(FACTS).fetchall()
        suspected = connection.execute(SUSPECTED).fetchall()
        unproven = connection.execute(UNPROVEN).fetchall()
    counts = Counter(Key(*row[:3]) for row in rows)
    return Published(
        {Key(*row[:3]): row[4:] for row in rows},
        frozenset(Key(*row[:3]) for row in rows if row[3]),
        tuple(key for key, count in counts.items() if count > 1),
        {Key(*row[:3]): row[3] for row in suspected},
        tuple(unproven),
    )


def rows_of(file: Path) -> dict[str, list[Any]]:
    """Return the rows of every published table, as text and in order."""
    with duckdb.connect(str(file), read_only=True) as connection:
        names = [name for (name,) in connection.execute(TABLES).fetchall()]
        texts = "select t::varchar from {} t order by 1"
        return {
            name: connection.execute(texts.format(name)).fetchall() for name in names
        }


def living_rows(file: Path) -> dict[Key, str]:
    """Return each call that is not deleted, in all columns but those of its loads."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return {Key(*row[:3]): row[3] for row in connection.execute(LIVING).fetchall()}


def calls_of(
    sandbox: Sandbox, vendor: str, since: datetime, now: datetime
) -> dict[Key, Call]:
    """Return every call that a vendor would list now."""
    found = truth(sandbox, vendor, since - EARLIER, now - LAG)
    return {
        Key(vendor, call["account"], call["vendor_call_id"]): Call(
            read_time(call["event_at"]),
            read_time(call["ended_at"]) if call["ended_at"] else None,
            (
                read_time(call["started_at"]),
                call["direction"],
                exact(call["total_seconds"]),
                exact(call["cost"]),
                call["currency"],
                call["vendor_outcome"] or None,
                parts_of(call["lines"]),
                legs_of(call["legs"]),
                [
                    {**one, "id": ALIAS if one["id"] == call["account"] else one["id"]}
                    for one in call["payers"]
                ]
                or ANY,
                call["call_type"] or call["direction"],
                *(call[name] for name in ("outcome", "is_answered", "is_abandoned")),
                *(
                    exact(call["durations"].get(name)) if vendor in DERIVED else ANY
                    for name in DURATIONS
                ),
            ),
        )
        for call in found
    }


def price_differences(sandbox: Sandbox, file: Path) -> Iterator[str]:
    """Yield each item of EvoVoice's price lists that is published wrongly, or not."""
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.execute(PRICE_ITEMS).fetchall()
    found = {(*row[:3], row[3].lower(), *row[4:]) for row in rows}
    accounts = {account for account, *_ in rows}
    true = {
        (one["account"], one["owner_kind"], one["owner"], one["item"].lower(), *prices)
        for one in price_items(sandbox)
        for sent in [{**LEFT_OUT, **one["prices"]}]
        for prices in [[exact(sent.get(name)) for name in PRICES]]
        if one["account"] in accounts
    }
    if not true:
        yield "no price item of an account is published"
    yield from (f"price item {one}" for one in found ^ true)


def differences(
    vendor: str,
    calls: Mapping[Key, Call],
    found: Published,
    *,
    since: datetime,
    now: datetime,
    excused: Collection[Key] = (),
) -> Iterator[str]:
    """Yield each call of a vendor that is lost, stale, a ghost or there twice.

    A deleted call may be listed until a second run, 20 hours later, has missed it too.
    Costs that depend on a month are compared where all its calls can be known.
    """
    yield from (f"duplicated {key}" for key in found.twice if key.vendor == vendor)
    months = _open_months(vendor, calls, found, excused, now)
    for key, call in calls.items():
        if key in excused or found.is_unproven(key, call.event_at):
            continue
        is_open = (
            call.event_at < since.replace(day=1) or _month(call.event_at) in months
        )
        if key not in found.facts:
            if call.event_at >= since:
                yield f"lost {key} of {call.event_at}"
        elif key in found.deleted:
            yield f"lost {key} of {call.event_at}: it lives, and is marked deleted"
        elif not _is_same(
            found.facts[key],
            call.fact,
            has_cost=vendor not in RATED_BY_MONTH or not is_open,
        ):
            yield f"stale {key}: published {found.facts[key]}, truth {call.fact}"
    yield from _ghosts(vendor, found, {*calls, *excused}, now)


def _open_months(
    vendor: str,
    calls: Mapping[Key, Call],
    found: Published,
    excused: Collection[Key],
    now: datetime,
) -> set[str]:
    """Return the months of which nobody can know all calls."""
    moments = [
        found.facts[key][0] if key in found.facts else calls[key].event_at
        for key in {*found.facts, *calls}
        if key.vendor == vendor and (key in excused or _is_pending(found, key, now))
    ]
    moments += [at for one in found.unproven if one[0] == vendor for at in one[2:]]
    apart = (-DAY, 0 * DAY, DAY)  # a month may begin in another zone
    return {_month(at + shift) for at in moments for shift in apart}


def _month(moment: datetime) -> str:
    return f"{moment:%Y-%m}"


def _is_pending(found: Published, key: Key, now: datetime) -> bool:
    """Return whether one run has missed a call, and no second one could yet."""
    since = found.suspected.get(key)
    return since is not None and now - since < timedelta(hours=20)


def _ghosts(
    vendor: str, found: Published, known: Collection[Key], now: datetime
) -> Iterator[str]:
    for key, fact in found.facts.items():
        if key.vendor != vendor or key in known or key in found.deleted:
            continue
        is_too_new = fact[0] >= now - LAG
        is_unproven = found.is_unproven(key, fact[0])
        if not is_too_new and not _is_pending(found, key, now) and not is_unproven:
            since = found.suspected.get(key)
            yield f"ghost {key} of {fact[0]}, suspected since {since}"


def _is_same(fact: tuple[Any, ...], true: tuple[Any, ...], *, has_cost: bool) -> bool:
    """Return whether two facts are equal; money that is a float is not.

    Without ``has_cost`` all but the money is compared.
    """
    both = zip(fact, true, strict=True)
    same = [one == other for one, other in both]
    return all(
        is_same or (place in COSTS and not has_cost)
        for place, is_same in enumerate(same)
    ) and not any(isinstance(value, float) for value in fact)
