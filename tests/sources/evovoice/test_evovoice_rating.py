"""What an EvoVoice call costs: hand-worked months through the real models."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from transforms.runner import functions

STAGING = Path(__file__).parents[3] / "transforms/models/staging/evovoice"
SEEDS = Path(__file__).parents[3] / "transforms/seeds"
MODELS = (
    *("sessions", "accounts", "customers", "price_owners", "price_items"),
    *("log_lines", "durations", "payers", "rated_sessions", "usage", "costs"),
    *("unmapped_values", "calls", "legs"),
)
MARCH_FIRST = datetime(2026, 3, 1, tzinfo=UTC)
ACCOUNT = "5f8e00000000000000000001"
INBOUND = {"rawUnitMultiplier": 1.0, "unitCost": 0.02, "allowance": 10}
ONE = {"unitCost": 1, "allowance": 0}
OUTBOUND = {"baseCost": 5.0, "unitCost": 0.03, "allowance": 0}


class Warehouse:
    """The raw tables of one vendor, and its staging models on top of them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        functions.register(connection)
        self.reads = 0
        for schema in ("raw", "inputs", "staging", "config", "seeds"):
            connection.execute(f"create schema {schema}")
        connection.execute(
            "create table inputs.deleted (vendor varchar, account varchar,"
            " record_id varchar, deleted_at timestamptz, load_id varchar)"
        )
        for table in ("sessions", "accounts", "customers"):
            connection.execute(
                f"create table raw.evovoice__{table} (account varchar,"
                " record_id varchar, event_at timestamptz, window_from timestamptz,"
                " fetched_at timestamptz, payload varchar, _dlt_load_id varchar,"
                " load_no bigint)"
            )
        connection.execute(
            "create table config.accounts (vendor varchar, account varchar,"
            " currency varchar, settle_after interval, price_owner varchar,"
            " price_formula varchar, rates_byoa boolean, bill_unanswered boolean,"
            " bill_ringing boolean)"
        )
        for seed in ("outcomes", "log_lines"):
            connection.execute(
                f"create table seeds.{seed} as from '{SEEDS / f'{seed}.csv'}'"
            )

    def land(self, table: str, record_id: str, at: datetime, payload: object) -> None:
        self.reads += 1
        later = MARCH_FIRST + timedelta(days=90, hours=self.reads)
        fetched_at = later if table == "sessions" else at
        self.connection.execute(
            f"insert into raw.evovoice__{table} values"
            " ('main', ?, ?, ?, ?, ?, 'l1', ?)",
            [record_id, at, at, fetched_at, json.dumps(payload), self.reads],
        )

    def price(
        self,
        at: datetime = MARCH_FIRST,
        account_id: str = ACCOUNT,
        **items: dict[str, float],
    ) -> None:
        """Give an account the price list that a read at a time found."""
        self.land("accounts", account_id, at, {"billingSettings": items})

    def customer(self, name: str, at: datetime = MARCH_FIRST, **own: object) -> None:
        """Give a customer what a read at a time found; prices of 1 if it has any."""
        record = {"accountId": ACCOUNT, "billingSettings": {"inboundVoiceCalls": ONE}}
        self.land("customers", name, at, {**record, **own})

    def set(self, **settings: object) -> None:
        """Configure the account."""
        (name,) = settings
        self.connection.execute(
            f"insert into config.accounts (vendor, account, {name})"
            " values ('evovoice', 'main', ?)",
            [*settings.values()],
        )

    def call(
        self, session_id: str, at: datetime, seconds: float | None, **more: object
    ) -> None:
        """Add an inbound call; None seconds: it goes on."""
        session: dict[str, object] = {
            "id": session_id,
            "accountId": ACCOUNT,
            "channel": "Voice",
            "direction": "Incoming",
            "ended": seconds is not None,
        }
        if seconds is not None:
            end = at + timedelta(seconds=seconds)
            session["dateCompleted"] = end.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        self.land("sessions", session_id, at, {**session, **more})

    def build(self) -> None:
        for model in MODELS:
            sql = (STAGING / f"evovoice__{model}.sql").read_text("utf-8")
            self.connection.execute(
                f"create or replace table staging.evovoice__{model} as {sql}"
            )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        self.build()
        return self.connection.execute(sql).fetchall()

    def costs(self) -> dict[str, Decimal]:
        return dict(
            self.rows("select vendor_call_id, amount from staging.evovoice__costs")
        )

    def statuses(self) -> dict[str, str]:
        return dict(
            self.rows("select vendor_call_id, cost_status from staging.evovoice__calls")
        )


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with duckdb.connect() as connection:
        # Nothing may depend on the session's zone.
        connection.execute("set timezone = 'Pacific/Auckland'")
        yield Warehouse(connection)


def at(day: int, hour: int = 12, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def test_only_the_minutes_beyond_the_allowance_cost(warehouse: Warehouse) -> None:
    warehouse.price(inboundVoiceCalls=INBOUND)
    warehouse.call("a", at(2), 6 * 60)
    warehouse.call("b", at(3), 7 * 60)  # four of its minutes are free
    warehouse.call("c", at(4), 61)  # two whole minutes
    assert warehouse.costs() == {
        "a": Decimal(0),
        "b": Decimal("0.06"),
        "c": Decimal("0.04"),
    }


def test_a_line_says_how_its_amount_came_about(warehouse: Warehouse) -> None:
    warehouse.price(inboundVoiceCalls=INBOUND | {"rawUnitMultiplier": 1.5})
    warehouse.call("a", at(2), 8 * 60)  # 12 units
    line = warehouse.rows(
        "select component, vendor_component, quantity, unit, unit_price, list_amount,"
        " discount_amount, amount, currency, source from staging.evovoice__costs"
    )
    amounts = [Decimal(text) for text in ("0.03", "0.24", "0.2", "0.04")]
    said = ("telephony", "inboundVoiceCalls", Decimal(8), "minute")
    assert line == [(*said, *amounts, "USD", "rated")]


def test_the_configured_currency_comes_first(warehouse: Warehouse) -> None:
    warehouse.connection.execute(
        "insert into config.accounts (vendor, account, currency)"
        " values ('evovoice', 'main', 'CAD')"
    )
    warehouse.price(inboundVoiceCalls=INBOUND)
    warehouse.call("a", at(2), 60)
    assert warehouse.rows("select currency from staging.evovoice__calls") == [("CAD",)]


@pytest.mark.parametrize("multiplier", [{}, {"rawUnitMultiplier": 0.0}])
def test_no_multiplier_and_one_of_zero_count_as_one(
    warehouse: Warehouse, multiplier: dict[str, float]
) -> None:
    warehouse.price(inboundVoiceCalls={"unitCost": 0.02, "allowance": 0} | multiplier)
    warehouse.call("a", at(2), 60)
    assert warehouse.costs() == {"a": Decimal("0.02")}


def test_a_multiplier_counts_before_the_allowance(warehouse: Warehouse) -> None:
    warehouse.price(inboundVoiceCalls=INBOUND | {"rawUnitMultiplier": 1.15})
    warehouse.call("a", at(2), 8 * 60)  # 9.2 units
    warehouse.call("b", at(3), 60)  # 10.35 units
    assert warehouse.costs() == {"a": Decimal(0), "b": Decimal("0.007")}


def test_a_missed_call_costs_nothing_and_uses_nothing(warehouse: Warehouse) -> None:
    warehouse.price(inboundVoiceCalls=INBOUND | {"allowance": 1})
    warehouse.call("a", at(2), 45, wasMissed=True)
    warehouse.call("b", at(3), None, wasMissed=True, ended=True)
    warehouse.call("c", at(4), 60)
    assert warehouse.costs() == dict.fromkeys("abc", Decimal(0))
    assert warehouse.statuses() == dict.fromkeys("abc", "final")


def test_a_call_that_is_gone_uses_nothing_up_and_keeps_its_price(
    warehouse: Warehouse,
) -> None:
    warehouse.price(inboundVoiceCalls=INBOUND | {"allowance": 1})
    for day, name in enumerate("abc", start=2):
        warehouse.call(name, at(day), 60)
    warehouse.connection.execute(
        "insert into inputs.deleted values ('evovoice', 'main', 'a', now(), 'l2')"
    )
    assert warehouse.costs() == {"a": 0, "b": 0, "c": Decimal("0.02")}


def test_a_call_that_goes_on_has_no_cost_yet(warehouse: Warehouse) -> None:
    warehouse.price(inboundVoiceCalls=INBOUND | {"allowance": 1})
    warehouse.call("a", at(2), None)
    warehouse.call("b", at(3), 60)
    assert warehouse.costs() == {"b": Decimal(0)}
    assert warehouse.statuses() == {"a": "pending", "b": "final"}


def test_a_call_marked_as_going_on_has_not_ended_whatever_its_date_says(
    warehouse: Warehouse,
) -> None:
    warehouse.price(inboundVoiceCalls=INBOUND)
    warehouse.call("a", at(2), 60, ended=False)
    assert warehouse.costs() == {}
    assert warehouse.statuses() == {"a": "pending"}
    assert warehouse.rows(
        "select ended_at, total_seconds from staging.evovoice__calls"
    ) == [(None, None)]


def test_a_call_of_no_length_has_no_minute(warehouse: Warehouse) -> None:
    warehouse.price(inboundVoiceCalls=INBOUND | {"allowance": 0})
    warehouse.call("a", at(2), 0)
    warehouse.call("b", at(2), 0.001)
    assert warehouse.costs() == {"a": Decimal(0), "b": Decimal("0.02")}


def test_each_utc_month_has_its_own_allowance(warehouse: Warehouse) -> None:
    warehouse.price(inboundVoiceCalls=INBOUND | {"allowance": 1})
    warehouse.call("a", at(31, 10), 60)
    warehouse.call("b", at(31, 23), 120)
    warehouse.call("c", at(1, 0, month=4), 60)
    assert warehouse.costs() == {"a": 0, "b": Decimal("0.04"), "c": 0}


def test_a_late_earlier_call_takes_the_allowance(warehouse: Warehouse) -> None:
    warehouse.price(inboundVoiceCalls=INBOUND | {"allowance": 1})
    warehouse.call("b", at(3), 60)
    assert warehouse.costs() == {"b": 0}
    warehouse.call("a", at(2), 60)
    assert warehouse.costs() == {"a": 0, "b": Decimal("0.02")}


def test_calls_of_one_instant_are_taken_by_id(warehouse: Warehouse) -> None:
    warehouse.price(inboundVoiceCalls=INBOUND | {"allowance": 1})
    warehouse.call("b", at(2), 60)
    warehouse.call("a", at(2), 60)
    assert warehouse.costs() == {"a": 0, "b": Decimal("0.02")}


def test_inbound_and_outbound_are_counted_apart(warehouse: Warehouse) -> None:
    warehouse.price(
        inboundVoiceCalls=INBOUND | {"allowance": 1}, outboundVoiceCalls=OUTBOUND
    )
    warehouse.call("a", at(2), 60, direction="Outgoing")
    warehouse.call("b", at(3), 60, direction=0)
    warehouse.call("c", at(4), 60, direction="1")
    assert warehouse.costs() == {"a": Decimal("0.03"), "b": 0, "c": Decimal("0.03")}


def test_accounts_of_one_login_are_counted_apart(warehouse: Warehouse) -> None:
    other = ACCOUNT[:-1] + "2"
    warehouse.price(inboundVoiceCalls=INBOUND | {"allowance": 1})
    warehouse.price(account_id=other, inboundVoiceCalls={"unitCost": 1, "allowance": 1})
    warehouse.call("a", at(2), 60)
    warehouse.call("b", at(3), 120, accountId=other)
    assert warehouse.costs() == {"a": 0, "b": 1}


def test_chats_and_faxes_use_no_minutes(warehouse: Warehouse) -> None:
    warehouse.price(inboundVoiceCalls=INBOUND | {"allowance": 0})
    warehouse.call("a", at(2), 60, channel="Chat")
    warehouse.call("b", at(2), 60, channel=2)
    warehouse.call("c", at(2), 60, channel=0)
    assert warehouse.costs() == {"c": Decimal("0.02")}
    assert warehouse.statuses() == {"c": "final"}


def test_a_call_is_rated_with_the_last_prices_read_before_it(
    warehouse: Warehouse,
) -> None:
    for moment, price in ((at(5), 1), (at(20), 2), (at(2, month=4), 4)):
        warehouse.price(moment, inboundVoiceCalls={"unitCost": price, "allowance": 0})
    began = (at(1), at(5), at(20, 11), at(20), at(1, month=4), at(1, month=5))
    for session_id, moment in zip("abcdef", began, strict=True):
        warehouse.call(session_id, moment, 60)
    assert warehouse.costs() == {"a": 1, "b": 1, "c": 1, "d": 2, "e": 2, "f": 4}


def test_without_prices_there_is_no_cost(warehouse: Warehouse) -> None:
    warehouse.price(inboundVoiceCalls={"allowance": 5}, base=INBOUND)
    warehouse.call("a", at(2), 60)
    warehouse.call("b", at(2), 60, direction="Outgoing")
    warehouse.call("c", at(2), 60, accountId="unknown")
    assert warehouse.costs() == {}
    assert warehouse.statuses() == dict.fromkeys("abc", "none")


@pytest.mark.parametrize(
    ("owner", "cost"), [(None, 4), ("nearest", 4), ("outermost", 2), ("account", 1)]
)
def test_whose_prices_count_is_a_setting(
    warehouse: Warehouse, owner: str | None, cost: int
) -> None:
    if owner is not None:
        warehouse.set(price_owner=owner)
    warehouse.price(inboundVoiceCalls=ONE)
    for name, price in (("outer", 2), ("inner", 4), ("own", None)):
        settings = {"inboundVoiceCalls": ONE | {"unitCost": price}}
        warehouse.customer(
            name, overrideBillingSettings=price is not None, billingSettings=settings
        )
    crumbs = [{"id": "outer"}, {"id": "inner"}]
    warehouse.call("a", at(2), 60, customerId="own", customerBreadcrumb=crumbs)
    assert warehouse.costs() == {"a": cost}


def test_a_customer_has_its_own_prices_from_when_it_is_read_to_override(
    warehouse: Warehouse,
) -> None:
    warehouse.price(inboundVoiceCalls=ONE | {"unitCost": 5})
    warehouse.customer("c", at(5, month=2), overrideBillingSettings=False)
    warehouse.customer("c", at(5), overrideBillingSettings=True)
    warehouse.customer("c", at(5, month=4), overrideBillingSettings="perhaps")
    for session_id, month in (("a", 2), ("b", 3), ("c", 4)):
        warehouse.call(session_id, at(6, month=month), 60, customerId="c")
    assert warehouse.costs() == {"a": 5, "b": 1, "c": 5}
    counted = {"field": "overrideBillingSettings", "value": "perhaps"}
    assert warehouse.rows(
        "select distinct unmapped_values from staging.evovoice__calls"
    ) == [([counted],)]


@pytest.mark.parametrize(
    ("formula", "unit_cost", "cost"),
    [
        (None, 0.5, Decimal("1.5")),
        ("multiplied_units", 0.5, Decimal("1.5")),
        ("markup", 0.5, Decimal("0.5")),
        ("multiplied_units", 0, 0),
        ("markup", 0, None),
    ],
)
def test_what_the_multiplier_multiplies_is_a_setting(
    warehouse: Warehouse, formula: str | None, unit_cost: float, cost: Decimal | None
) -> None:
    if formula is not None:
        warehouse.set(price_formula=formula)
    price = {"rawUnitMultiplier": 3, "unitCost": unit_cost, "allowance": 0}
    warehouse.price(inboundVoiceCalls=price)
    warehouse.call("a", at(2), 60)
    assert warehouse.costs() == ({} if cost is None else {"a": cost})


@pytest.mark.parametrize(("rates", "cost"), [(None, {}), (False, {}), (True, {"a": 1})])
def test_a_call_over_its_own_carrier_is_rated_where_that_is_wanted(
    warehouse: Warehouse, *, rates: bool | None, cost: dict[str, int]
) -> None:
    if rates is not None:
        warehouse.set(rates_byoa=rates)
    settings = {"inboundVoiceCalls": ONE}
    account = {"isBYOA": True, "billingSettings": settings}
    warehouse.land("accounts", ACCOUNT, MARCH_FIRST, account)
    warehouse.call("a", at(2), 60)
    assert warehouse.costs() == cost


@pytest.mark.parametrize(
    ("setting", "minutes"),
    [
        (None, {"busy": 0, "rang": 1, "in": 2}),
        ("bill_unanswered", {"busy": 2, "rang": 1, "in": 2}),
        ("bill_ringing", {"busy": 0, "rang": 2, "in": 2}),
    ],
)
def test_whether_an_outbound_call_pays_before_its_answer_is_a_setting(
    warehouse: Warehouse, setting: str | None, minutes: dict[str, int]
) -> None:
    if setting is not None:
        warehouse.set(**{setting: True})
    warehouse.price(inboundVoiceCalls=ONE, outboundVoiceCalls=ONE)
    log = [
        {"date": (at(2) + timedelta(seconds=after)).isoformat(), "message": text}
        for after, text in ((0, "Ringing"), (25, "Answered"), (80, "Call ended"))
    ]
    warehouse.call("busy", at(2), 80, direction="Outgoing", outcome="Busy")
    warehouse.call("rang", at(2), 80, direction="Outgoing", log=log)
    warehouse.call("in", at(2), 80, log=log)
    assert warehouse.costs() == minutes


def test_the_newer_version_of_a_session_counts(warehouse: Warehouse) -> None:
    warehouse.price(inboundVoiceCalls=INBOUND | {"allowance": 0})
    modified = "2026-03-02T13:00:00.0000000"
    warehouse.call("a", at(2), 120, dateLastModified=modified)
    warehouse.call("a", at(2), None, dateLastModified="/Date(1772454600000+0000)/")
    assert warehouse.costs() == {"a": Decimal("0.04")}


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T12:01:30.5000000Z",
        "2026-03-02T12:01:30.5000000",
        "2026-03-02T14:01:30.5+02:00",
        "2026-03-02T07:01:30.500-05",
        "2026-03-02 12:01:30.5",
        "/Date(1772452890500)/",
        "/Date(1772452890500-0500)/",
    ],
)
def test_every_form_of_a_date_is_the_same_instant(
    warehouse: Warehouse, text: str
) -> None:
    warehouse.call("a", at(2), 1, dateCompleted=text)
    seconds = "select total_seconds, unmapped_values from staging.evovoice__calls"
    assert warehouse.rows(seconds) == [(Decimal("90.5"), [])]


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00.0000000", "9999-12-31T23:59:59", "soon"]
)
def test_a_date_that_is_no_end_is_counted_and_not_billed(
    warehouse: Warehouse, text: str
) -> None:
    warehouse.price(inboundVoiceCalls=INBOUND)
    warehouse.call("a", at(2), 1, dateCompleted=text)
    counted = [{"field": "dateCompleted", "value": text}]
    assert warehouse.rows(
        "select total_seconds, cost_status, unmapped_values"
        " from staging.evovoice__calls"
    ) == [(None, "none", counted)]


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ({"wasMissed": True, "outcome": "Answered"}, ("missed", "ring", False)),
        ({"ended": False, "outcome": "Answered"}, ("in_progress", "none", None)),
        ({"ended": False, "answeredById": "9"}, ("in_progress", "none", True)),
        ({"answeredById": "9", "outcome": "Declined"}, ("rejected", "ring", False)),
        ({"answeredById": "9", "outcome": "Busy"}, ("answered", "connected", True)),
        ({"outcome": "Answered"}, ("answered", "connected", True)),
        ({"outcome": "Declined"}, ("rejected", "ring", False)),
        ({"outcome": "Enchanted"}, ("unknown", "none", None)),
        ({}, ("unknown", "none", None)),
    ],
)
def test_flags_decide_the_outcome_before_the_word_does(
    warehouse: Warehouse,
    session: dict[str, object],
    expected: tuple[str, str, bool | None],
) -> None:
    warehouse.call("a", at(2), 60, **session)
    assert warehouse.rows(
        "select outcome, outcome_stage, is_answered from staging.evovoice__calls"
    ) == [expected]


def test_words_and_shapes_that_nobody_knows_are_counted(warehouse: Warehouse) -> None:
    odd = {"outcome": "Enchanted", "direction": "Sideways", "ended": "perhaps"}
    roles = [{"role": "Agent"}, {"role": "Spy"}]
    warehouse.call("a", at(2), 60, members=roles, **odd)
    warehouse.call("b", at(2), 60, members="nobody")
    counted = warehouse.rows(
        "select vendor_call_id, unnest(unmapped_values, recursive := true)"
        " from staging.evovoice__calls order by all"
    )
    said = {**odd, "members.role": "Spy"}
    assert counted == [
        *(("a", field, said[field]) for field in sorted(said)),
        ("b", "members", "VARCHAR"),
    ]


def test_numbers_stand_on_their_side_of_the_call(warehouse: Warehouse) -> None:
    inside, outside = "+15550100", "+15550199"
    warehouse.call("a", at(2), 1, fromAddress=outside, toAddress=inside)
    outgoing = {"direction": "Outgoing", "fromAddress": inside}
    warehouse.call("b", at(2), 1, **outgoing, toAddress=outside)
    warehouse.call("c", at(2), 1, **outgoing, toAddress="", destination=outside)
    numbers = "select customer_number, business_number from staging.evovoice__calls"
    assert warehouse.rows(numbers) == [(outside, inside)] * 3


def test_each_member_is_a_leg(warehouse: Warehouse) -> None:
    members = [{"role": 1, "identity": "c"}, {"role": "Agent", "displayName": "Ada"}]
    warehouse.call("a", at(2), 60, members=[*members, {"role": "Transfer"}, {}])
    warehouse.call("b", at(2), 60)
    assert warehouse.rows(
        "select leg_no, role, party_name from staging.evovoice__legs order by leg_no"
    ) == [
        (1, "customer", "c"),
        (2, "agent", "Ada"),
        (3, "transfer", None),
        (4, "other", None),
    ]
    assert warehouse.rows(
        "select leg_count, agent_count, is_transferred from staging.evovoice__calls"
        " order by vendor_call_id"
    ) == [(4, 1, True), (None, None, None)]
