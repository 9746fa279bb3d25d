"""Marts added up again, in Python: from the records of the vendors, and from calls."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import duckdb
import pytest
from conftest import TABLES, VENDORS, House, open_house

from pipelines.planning.windows import read_time
from pipelines.warehouse.published_queries import rows_of

pytestmark = pytest.mark.soak

NOW = read_time("2026-11-17T03:00:00Z")
IN_TIME, SHORT = 20, 5
"""Seconds, as configured by default."""
MILLI = Decimal("0.001")
SHORT_WORDS = {"short_abandoned": True, "long_abandoned": False}
COMPONENTS = {
    "ASR": "ai_stt",
    "YANDEXASR": "ai_stt",
    "TTS_TEXT_GOOGLE": "ai_tts",
    "TTS_YANDEX": "ai_tts",
    "VOICEMAILDETECTION": "other",
    "VIDEORECORD": "recording",
    "AUDIOHDCONFERENCE": "telephony",
    "TRANSCRIPTION": "transcription",
    "CALLSESSION": "telephony",
}
"""What each of Voximplant's resources in the friendly world is paid for."""
INTERNAL = {"internal_call", "internal_conference_call", "internal_callback_call"}
STAGES = {
    "mainCall": "telephony",
    "autoCall": "telephony",
    "robotCall": "bot",
    "transferCall": "transfer",
}
AI = {"aiCallLlm": "ai_llm", "aiCallTts": "ai_tts", "aiCallStt": "ai_stt"}
PRICED = ("zoom", "voximplant", "twin")
"""Vendors that send a price of each call."""
ITEMS = {"Incoming": "inboundVoiceCalls", "Outgoing": "outboundVoiceCalls"}
NOT_TAKEN = {"busy", "canceled", "declined", "failed", "missed", "no answer"}
NOT_TAKEN |= {"abandoned", "no-answer", "rejected"}
MINUTE = timedelta(minutes=1)
Record: TypeAlias = Mapping[str, Any]
Row: TypeAlias = dict[str, Any]


class Whole(NamedTuple):
    """What a record says of a call as a whole."""

    started_at: datetime
    seconds: Decimal | None
    costs: list[tuple[str, Decimal]]
    """Of each part that has a price, its component."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Give a night of all vendors."""
    folder = tmp_path_factory.mktemp("recomputed")
    with open_house(folder, NOW, days=3, volume=40, world="friendly") as house:
        night = house.night(NOW)
        assert night.returncode == 0, night.stderr
        yield house


def records(house: House, vendor: str, table: str = "") -> Iterator[Record]:
    """Yield the newest version of each record, its numbers exact."""
    file = house.folder / f"warehouse/raw/{vendor}.duckdb"
    with duckdb.connect(str(file), read_only=True) as raw:
        rows = raw.execute(
            f"select record_id, payload from raw.{table or TABLES[vendor]}"
            " order by load_no, fetched_at"
        ).fetchall()
    found = {key: json.loads(text, parse_float=Decimal) for key, text in rows}
    if (vendor, table) == ("zoom", ""):
        for parts in records(house, "zoom", "engagements"):
            found.get(parts["engagement_id"], {})["parts"] = parts
    yield from found.values()


def moment(text: str) -> datetime:
    """Read a time; one without a zone is UTC, and digits past microseconds are 0."""
    found = datetime.fromisoformat(text.replace("0000Z", "Z"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def is_callback(record: Record) -> bool:
    return any(kind.endswith("callback_call") for kind in record["types"])


def of_zoom(record: Record) -> Whole:
    """Read an engagement; without a charge, those of its legs are what it cost."""
    sent = [record.get("charge")]
    if not sent[0]:
        sent = [leg.get("charge") for leg in record.get("voice_call_details", ())]
    costs = [("telephony", Decimal(text.removeprefix("$"))) for text in sent if text]
    seconds = Decimal(record["total_duration"])
    if is_callback(record):
        parts = record["parts"]
        handled = parts["handling_duration"] - parts["wrap_up_duration"]
        seconds = Decimal(parts["flow_duration"] + handled)
    return Whole(moment(record["start_time"]), seconds, costs)


def of_voximplant(record: Record) -> Whole:
    costs, paid = [], set[int]()
    lines = [("telephony", one) for one in record["calls"]]
    lines += [("recording", one) for one in record["records"]]
    for one in record["other_resource_usage"]:
        lines.append((COMPONENTS[one["resource_type"]], one))
    for component, line in lines:
        transaction = line["transaction_id"]
        if line["cost"] is not None and transaction not in paid:
            costs.append((component, Decimal(line["cost"])))
            paid |= {transaction} - {0}
    return Whole(moment(record["start_date"]), Decimal(record["duration"]), costs)


def of_twin(record: Record) -> Whole:
    costs = []
    if record["billedAt"]:
        costs = [
            (component, Decimal(record[f"{name}TotalCost"]))
            for name, component in {**STAGES, **AI}.items()
            if record[f"{name}TotalCost"] is not None
        ]
        if record["aiCallTotalCost"] is not None:
            parts = [amount for name, amount in costs if name.startswith("ai_")]
            rest = Decimal(record["aiCallTotalCost"]) - sum(parts)
            # Without parts the total is the price of all.
            if rest or not parts:
                costs.append(("ai_platform", rest))
        if rest := Decimal(record["totalCost"]) - sum(amount for _, amount in costs):
            costs.append(("unallocated", rest))
    started = moment(record["startedAt"] or record["createdAt"])
    return Whole(started, Decimal(record["duration"]), costs)


def of_evovoice(record: Record) -> Whole | None:
    """Return nothing of a chat or a fax."""
    if record["channel"] != "Voice":
        return None
    started, seconds = moment(record["dateCreated"]), None
    if record["ended"]:
        took = moment(record["dateCompleted"]) - started
        seconds = Decimal(took // took.resolution).scaleb(-6)
        seconds = seconds.quantize(MILLI, ROUND_HALF_UP)
    return Whole(started, seconds, [])


def of_whippy(record: Record) -> Whole:
    seconds = Decimal(record["duration"]).scaleb(-3)
    return Whole(moment(record["created_at"]), seconds, [])


WHOLES: Mapping[str, Callable[[Record], Whole | None]] = {
    "evovoice": of_evovoice,
    "twin": of_twin,
    "voximplant": of_voximplant,
    "whippy": of_whippy,
    "zoom": of_zoom,
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_calls_and_seconds_of_each_day_are_those_of_the_records(
    house: House, vendor: str
) -> None:
    expected: dict[object, list[Any]] = defaultdict(lambda: [0, 0, Decimal(0)])
    for record in records(house, vendor):
        if (whole := WHOLES[vendor](record)) is not None:
            day = expected[whole.started_at.date()]
            day[0] += 1
            day[1] += whole.seconds is not None
            day[2] += whole.seconds or 0
    found = house.query(
        "select call_date, sum(calls), sum(timed_calls), sum(total_seconds)"
        f" from daily_calls where vendor = '{vendor}' group by call_date"
    )
    assert {day: [*sums] for day, *sums in found} == expected
    assert len(expected) > 1


@pytest.mark.parametrize("vendor", PRICED)
def test_costs_of_each_day_and_component_are_those_of_the_records(
    house: House, vendor: str
) -> None:
    expected: dict[object, Decimal] = defaultdict(Decimal)
    for record in records(house, vendor):
        whole = WHOLES[vendor](record)
        assert whole is not None
        for component, amount in whole.costs:
            expected[whole.started_at.date(), component] += amount
    found = house.query(
        "select call_date, component, sum(amount) from daily_costs"
        f" where vendor = '{vendor}' group by all"
    )
    assert {(day, component): amount for day, component, amount in found} == expected
    assert sum(expected.values()) > 0


def paid_minutes(session: Record) -> int:
    """Return the begun minutes that are paid (evovoice.md, section 8)."""
    begins = moment(session["dateCreated"])
    ends = moment(session["dateCompleted"])
    if session.get("wasMissed"):
        return 0
    if session["direction"] == "Outgoing":
        taken = ("answered", "connected")
        answers = [
            moment(line["date"])
            for line in session.get("log", ())
            if line["message"].lower().startswith(taken)
        ]
        outcome = str(session.get("outcome", "")).lower()
        if not (answers or session.get("answeredById")) and outcome in NOT_TAKEN:
            return 0
        begins = min(answers, default=begins)
    return -(-(ends - begins) // MINUTE)


def price_list(
    session: Record, accounts: Mapping[str, Record], customers: Mapping[str, Record]
) -> tuple[str, Mapping[str, Record]]:
    """Return whose prices rate a session, the nearest that has some, and the prices."""
    nearest = [session.get("customerId")]
    nearest += [one["id"] for one in reversed(session.get("customerBreadcrumb", ()))]
    for customer in filter(None, nearest):
        if customers.get(customer, {}).get("overrideBillingSettings"):
            return customer, customers[customer]["billingSettings"]
    account = session["accountId"]
    return account, accounts[account]["billingSettings"]


def test_what_evovoice_costs_is_what_the_price_lists_say(house: House) -> None:
    accounts = {one["id"]: one for one in records(house, "evovoice", "accounts")}
    customers = {one["id"]: one for one in records(house, "evovoice", "customers")}
    used: dict[object, Decimal] = defaultdict(Decimal)
    expected: dict[str, Decimal | None] = {}
    seen = set()
    sessions = [one for one in records(house, "evovoice") if one["channel"] == "Voice"]
    for session in sorted(sessions, key=lambda one: (one["dateCreated"], one["id"])):
        key, item = f"evovoice:main:{session['id']}", ITEMS[session["direction"]]
        owner, prices = price_list(session, accounts, customers)
        expected[key] = None
        pays_carrier = accounts[session["accountId"]]["isBYOA"]
        price = None if pays_carrier else prices.get(item)
        if session["ended"] and price:
            units = paid_minutes(session) * (price.get("rawUnitMultiplier") or 1)
            month = moment(session["dateCreated"]).strftime("%Y-%m")
            before = used[owner, month, item]
            used[owner, month, item] = after = before + units
            allowance = price["allowance"]
            paid = max(after - allowance, 0) - max(before - allowance, 0)
            expected[key] = paid * price["unitCost"]
            seen.add((owner in customers, item, paid > 0))
    found = house.query(
        "select call_key, cost_total from fact_calls where vendor = 'evovoice'"
    )
    assert dict(found) == expected
    assert {is_customers for is_customers, *_ in seen} == {False, True}
    assert len({what for what in seen if what[0]}) == 2 * len(ITEMS), "paid and free"


def test_calls_and_waits_of_each_queue_are_those_of_the_records(house: House) -> None:
    """A call counts at each queue that it names, its wait where it names one alone."""
    expected: dict[object, list[Any]] = defaultdict(lambda: [0, 0, None])
    for record in records(house, "zoom"):
        queues = {queue["cc_queue_id"] for queue in record["queues"]}
        wait = record.get("parts", {}).get("waiting_duration")
        wait = None if is_callback(record) else wait
        is_internal = {*record["types"]} <= INTERNAL and record["types"]
        is_inbound = record["direction"] == "inbound" and not is_internal
        for queue in queues if is_inbound else ():
            row = expected[moment(record["start_time"]).date(), f"zoom:main:{queue}"]
            row[0] += 1
            if len(queues) == 1 and wait is not None:
                row[1] += 1
                row[2] = (row[2] or 0) + wait
    found = house.query(
        "select call_date, queue_key, calls, waited_calls, queue_seconds"
        " from daily_queue_calls where vendor = 'zoom'"
    )
    assert {(day, queue): sums for day, queue, *sums in found} == expected
    assert any(waited for _, waited, _ in expected.values())


def rows(house: House, sql: str) -> list[Row]:
    """Return the rows of a query over the published file, by column."""
    with duckdb.connect(str(house.published), read_only=True) as published:
        published.execute("set timezone = 'UTC'")
        result = published.execute(sql)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def marks(call: Row) -> Row:
    """Return a call with what several columns ask of it."""
    outcome, stage = call["outcome"], call["outcome_stage"]
    is_inbound = call["direction"] == "inbound"
    is_known = outcome not in {"in_progress", "unknown"}
    is_offered = is_inbound and is_known and stage not in {"ivr", "callback"}
    waits = [call["queue_seconds"], call["ring_seconds"]]
    known = [wait for wait in waits if wait is not None]
    wait = sum(known) if known else call["total_seconds"]
    is_queued = is_inbound and call["call_type"] != "callback"
    is_queued = is_queued and bool(
        stage == "queue"
        or (call["queue_count"] or 0) > 0
        or (call["queue_seconds"] or 0) > 0
        or call["queue_name"] is not None
    )
    return {
        **call,
        "is_inbound": is_inbound,
        "is_known": is_known,
        "is_unanswered": outcome in {"missed", "busy", "no_answer"},
        "is_offered": is_offered and outcome != "canceled",
        "is_given_up": bool(call["is_abandoned"]) and stage != "hold",
        "is_short": SHORT_WORDS.get(
            call["vendor_outcome"], wait is not None and wait < SHORT
        ),
        "is_queued": is_queued,
        "wait": call["queue_seconds"] if is_queued else None,
    }


def of_queues(c: Row) -> Iterator[tuple[str, Any]]:
    """Yield what a call adds to the columns about asking, waiting and giving up."""
    lost = c["is_offered"] and c["is_given_up"]
    yield "queued_calls", c["is_queued"]
    yield "queued_known_calls", c["is_queued"] and c["is_abandoned"] is not None
    yield "abandoned_queued_calls", c["is_queued"] and lost
    yield "short_abandoned_queued_calls", c["is_queued"] and lost and c["is_short"]
    yield "offered_calls", c["is_offered"]
    yield "offered_known_calls", c["is_offered"] and c["is_abandoned"] is not None
    yield "answered_offered_calls", c["is_offered"] and c["is_answered"]
    yield "abandoned_offered_calls", lost
    yield "short_abandoned_offered_calls", lost and c["is_short"]
    yield "answered_or_abandoned_calls", lost or (c["is_offered"] and c["is_answered"])
    yield from of_waits(c, is_lost=lost)
    yield (
        "short_abandoned_waited_calls",
        (
            c["wait"] is not None
            and lost
            and c["is_answered"] is False
            and c["is_short"]
        ),
    )


def of_waits(c: Row, *, is_lost: bool) -> Iterator[tuple[str, Any]]:
    """Yield what the wait of a call, if it is known, adds."""
    wait, has_waited = c["wait"], c["wait"] is not None
    is_answered = has_waited and c["is_answered"] is True
    gave_up = has_waited and is_lost and c["is_answered"] is False
    yield "waited_calls", has_waited
    yield "waited_known_calls", has_waited and c["is_answered"] is not None
    yield "queue_seconds", wait
    yield "answered_waited_calls", is_answered
    yield "answered_queue_seconds", wait if is_answered else None
    yield "answered_in_time_calls", is_answered and wait <= IN_TIME
    yield "abandoned_waited_calls", gave_up
    yield "abandoned_queue_seconds", wait if gave_up else None
    yield "abandoned_in_time_calls", gave_up and wait <= IN_TIME


def of_outcome(c: Row) -> Iterator[tuple[str, Any]]:
    """Yield what a call adds to the columns about what became of it."""
    is_menu = c["is_self_service"] or c["is_contained"]
    is_bot = bool(c["is_bot_handled"]) and c["is_known"]
    is_outbound = c["direction"] == "outbound"
    yield "calls", True
    yield "outcome_known_calls", c["is_known"]
    yield "answered_calls", c["is_answered"]
    yield "abandoned_calls", c["is_abandoned"]
    yield "missed_calls", c["is_inbound"] and c["is_unanswered"]
    yield "voicemail_calls", c["is_voicemail"]
    yield "voicemail_known_calls", c["is_voicemail"] is not None
    yield "contained_calls", c["is_inbound"] and c["is_known"] and c["is_contained"]
    yield "inbound_known_calls", c["is_inbound"] and c["is_known"]
    yield "self_service_calls", c["is_inbound"] and c["is_known"] and is_menu
    yield "transferred_calls", c["is_transferred"]
    yield "transfer_known_calls", c["is_transferred"] is not None
    yield "bot_calls", c["is_bot_handled"]
    yield "bot_known_calls", c["is_bot_handled"] is not None
    yield "bot_contained_calls", is_bot and c["is_transferred"] is False
    yield "bot_transfer_known_calls", is_bot and c["is_transferred"] is not None
    yield "settled_calls", c["is_settled"]
    yield "outbound_known_calls", is_outbound and c["is_answered"] is not None
    yield "outbound_answered_calls", is_outbound and c["is_answered"]
    yield "outbound_unanswered_calls", is_outbound and c["is_unanswered"]


def together(*seconds: Decimal | None) -> Decimal | None:
    """Return a sum of which no part is unknown."""
    known = [one for one in seconds if one is not None]
    return sum(known, Decimal(0)) if len(known) == len(seconds) else None


def of_times(c: Row) -> Iterator[tuple[str, Any]]:
    """Yield what the lengths of a call add: whether each is known, and what it is."""
    took_call = c["is_inbound"] and c["is_answered"]
    delay = None
    is_callback = c["call_type"] == "callback"
    if took_call and c["answered_at"] is not None and not is_callback:
        after = c["answered_at"] - c["started_at"]
        delay = Decimal(after // after.resolution).scaleb(-6)
    ring = c["ring_seconds"] if took_call else None
    talk, wrap = c["talk_seconds"], c["wrap_seconds"]
    for calls, seconds, length in (
        ("answered_rung_calls", "answered_ring_seconds", ring),
        ("answered_delay_calls", "answered_delay_seconds", delay),
        ("timed_calls", "total_seconds", c["line_seconds"]),
        ("talked_calls", "talk_seconds", talk),
        ("talk_wrap_calls", "talk_wrap_seconds", together(talk, wrap)),
        ("handled_calls", "handle_seconds", c["handle_seconds"]),
    ):
        yield calls, length is not None
        yield seconds, length


def of_costs(c: Row) -> Iterator[tuple[str, Any]]:
    """Yield what the cost of a call adds: whole, or a part of it so far."""
    status, seconds = c["cost_status"], c["line_seconds"]
    is_whole = status not in {"pending", "partial"}
    whole = c["cost_reporting"] if is_whole else None
    part = None if is_whole else c["cost_reporting"]
    is_settled = c["is_settled"] and c["cost_reporting"] is not None
    yield "priced_calls", c["cost_total"] is not None and is_whole
    yield "priced_partial_calls", c["cost_total"] is not None and not is_whole
    yield "cost_final_calls", status == "final"
    yield "cost_provisional_calls", status == "provisional"
    yield "cost_pending_calls", not is_whole
    yield "cost_due_calls", status != "none"
    yield "costed_calls", whole is not None
    yield "costed_partial_calls", part is not None
    yield "cost_reporting", whole
    yield "cost_partial_reporting", part
    yield "costed_answered_calls", whole is not None and c["is_answered"]
    yield "costed_seconds", 0 if whole is None or seconds is None else seconds
    yield "cost_of_costed_seconds", None if seconds is None else whole
    yield "cost_settled_calls", is_settled
    yield "cost_of_settled", c["cost_reporting"] if is_settled else None


def added_up(
    calls: list[tuple[tuple[Any, ...], Iterator[tuple[str, Any]]]],
) -> dict[tuple[Any, ...], Row]:
    """Add up the columns of calls by their keys; a sum of nothing is None."""
    sums: dict[tuple[Any, ...], Row] = defaultdict(dict)
    for key, columns in calls:
        row = sums[key]
        for name, value in columns:
            is_count = name == "calls" or name.endswith("_calls")
            before = row.setdefault(name, 0 if is_count else None)
            if value is not None:
                row[name] = (before or 0) + value
    for row in sums.values():
        if (delay := row.get("answered_delay_seconds")) is not None:
            row["answered_delay_seconds"] = delay.quantize(MILLI, ROUND_HALF_UP)
    return dict(sums)


def test_daily_calls_are_the_sums_of_the_calls(house: House) -> None:
    keys = ("call_date", "billing_month", "vendor", "account", "direction")
    keys += ("queue_name", "cost_center")
    calls = []
    for call in rows(house, "from fact_calls where not is_deleted"):
        month = call["started_at"].date().replace(day=1)
        marked = marks({**call, "billing_month": month})
        parts = (of_outcome, of_queues, of_times, of_costs)
        columns = chain(*(part(marked) for part in parts))
        calls.append((tuple(marked[key] for key in keys), columns))
    found = {
        tuple(row.pop(key) for key in keys): row
        for row in rows(house, "from daily_calls")
    }
    assert found == added_up(calls)
    assert len(found) > len(VENDORS)


def test_daily_queue_calls_are_the_sums_of_the_calls_of_each_queue(
    house: House,
) -> None:
    keys = ("call_date", "vendor", "account", "queue_key")
    facts = {row["call_key"]: marks(row) for row in rows(house, "from fact_calls")}
    passed = defaultdict(list)
    for one in rows(house, "from bridge_call_queues order by seq"):
        passed[one["call_key"]].append(one["queue_key"])
    calls = []
    for key, queues in passed.items():
        call = facts[key]
        if call["is_inbound"] and not call["is_deleted"]:
            for queue in queues:
                mark = {**call, "queue_key": queue}
                mark["is_first"] = queue == queues[0]
                mark["is_last"] = queue == queues[-1]
                mark["wait"] = call["queue_seconds"] if queues == [queue] else None
                calls.append((tuple(mark[key] for key in keys), of_queue(mark)))
    found = {
        tuple(row.pop(key) for key in keys): row
        for row in rows(house, "select * exclude (queue_name) from daily_queue_calls")
    }
    assert found == added_up(calls)
    assert found


def of_queue(c: Row) -> Iterator[tuple[str, Any]]:
    """Yield what a call adds at one of its queues."""
    is_known = c["is_last"] and c["is_known"]
    is_lost = is_known and c["is_given_up"]
    is_lost = is_lost and c["outcome_stage"] not in {"ivr", "callback"}
    yield "calls", True
    yield "first_calls", c["is_first"]
    yield "last_calls", c["is_last"]
    yield "outcome_known_calls", is_known
    yield "answered_calls", is_known and c["is_answered"]
    yield "abandoned_known_calls", c["is_last"] and c["is_abandoned"] is not None
    yield "abandoned_calls", is_lost
    yield "short_abandoned_calls", is_lost and c["is_short"]
    yield "voicemail_calls", is_known and c["is_voicemail"]
    yield "overflowed_calls", is_known and c["outcome"] == "overflowed"
    yield from of_waits(c, is_lost=is_lost)


def test_a_summary_compares_vendors_on_the_dates_that_all_have(house: House) -> None:
    """EvoVoice is read for whole months, the others for three days."""
    days = [date(2026, 11, day) for day in (14, 15, 16)]
    spans, seen = set(), set()
    for row in rows_of(house.published, "calls_by_vendor"):
        facts = rows(house, f"from fact_calls where vendor = '{row['vendor']}'")
        same = [one for one in facts if one["call_date"] in days]
        assert (row["calls"], row["compared_calls"]) == (len(facts), len(same))
        pending = [one["cost_status"] in {"pending", "partial"} for one in same]
        assert row["compared_cost_pending"] == sum(pending)
        costs = [one["cost_total"] for one in same if one["cost_total"] is not None]
        amount = f"{sum(costs):.2f} " if costs else ""
        assert (row["compared_costs"] or "").startswith(amount)
        seconds = [one["total_seconds"] or 0 for one in same]
        assert abs(row["compared_minutes"] - sum(seconds) / 60) <= 1
        assert row["first_date"] == min(one["call_date"] for one in facts)
        spans.add(row["first_date"])
        seen |= {(row["compared_days"], row["compared_from"], row["compared_to"])}
    assert seen == {(3, days[0], days[-1])}
    assert len(spans) > 1
