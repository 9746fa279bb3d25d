"""What a month's calls and base costs come to, beside what its vendor billed."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from raw_files import LEDGER, NOW, RawFiles, Record, whippy_call
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.commands.bill import Bill, read_bill
from pipelines.config.invoices import read_invoices
from pipelines.config.rate_cards import RateCard
from pipelines.config.toml_file import ConfigError

FEBRUARY, MARCH, APRIL = (date(2026, month, 1) for month in (2, 3, 4))
SPRING, YESTERDAY = datetime(2026, 3, 31, 23, tzinfo=UTC), NOW.replace(day=19)
HEADER = "vendor,account,month,amount,currency,note\n"
INVOICES = """\
zoom,main,2026-03,12,USD,no. 7
zoom,main,2026-03,-0.5,USD,"a credit, late"
twin,main,2026-02,100.000001,RUB,
whippy,main,2026-03,50,USD,no. 3
"""


def zoom(name: str, at: datetime, charge: str | None) -> Record:
    payload = {"engagement_id": name, "direction": "inbound", "result": "completed"}
    times = {"start_time": at.isoformat(), "total_duration": 60}
    return "main", name, at, {**payload, **times, "charge": charge}


def voximplant(name: str, at: datetime) -> Record:
    """Return a session of which a call is priced, and its recording is not yet."""
    begun = f"{at:%Y-%m-%d %H:%M:%S}"
    call = {"call_id": 1, "start_time": begun, "duration": 60, "cost": 0.25}
    record = {"record_id": 2, "start_time": begun, "duration": 60}
    payload = {"call_session_history_id": name, "start_date": begun, "calls": [call]}
    return "main", name, at, {**payload, "records": [record]}


def twin(name: str, at: datetime) -> Record:
    moment = at.isoformat()
    payload = {"callId": name, "createdAt": moment, "startedAt": moment}
    return "main", name, at, {**payload, "billedAt": moment, "totalCost": 2}


def read(house: RawFiles, vendor: str, start: datetime, end: datetime) -> None:
    """Write that a vendor's calls of a span were read completely."""
    row = ("main", "calls", start, end, "nightly", "complete", 7, 0, 1, NOW, None, None)
    house.write(vendor, "load_windows", LEDGER, [(*row, NOW)])


def make_house(folder: Path) -> RawFiles:
    """Return a house with each kind of call, and with invoices."""
    file = folder / "invoices.csv"
    file.write_text(HEADER + INVOICES)
    card = RateCard(
        *("whippy", "main", "inbound", "telephony", "call"),
        increment=Decimal(1),
        unit_price=Decimal("1.5"),
        currency="USD",
        valid_from=MARCH,
        base_cost=Decimal(49),
    )
    house = RawFiles(
        folder,
        accounts=dict.fromkeys(("zoom", "whippy", "voximplant", "twin"), ("main",)),
        cards=(card,),
        invoices=read_invoices(file),
    )
    gone = zoom("gone", SPRING, "$2")
    march = [zoom("a", SPRING, "$9"), zoom("b", SPRING, "€5"), gone]
    house.load("zoom", [*march, zoom("free", SPRING, None)])
    house.load("zoom", [(*gone[:3], None)])
    april = [zoom("c", YESTERDAY, "$4"), zoom("d", YESTERDAY, None)]
    house.load("zoom", april)
    account, name, at, payload = whippy_call("e", SPRING)
    house.load("whippy", [(account, name, at, {**(payload or {}), "channel_id": "7"})])
    read(house, "whippy", SPRING.replace(day=1, hour=0), NOW.replace(day=10))
    info = ("main", "main", NOW, {"currency": "USD"})
    house.load("voximplant", [info], "account_info")
    house.load("voximplant", [voximplant("1", YESTERDAY)])
    house.load("twin", [twin("2", YESTERDAY)])
    house.build()
    return house


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> RawFiles:
    return make_house(tmp_path_factory.mktemp("invoices"))


def row(house: RawFiles, vendor: str, month: date, currency: str | None) -> list[Any]:
    ((*found,),) = house.query(
        "select * exclude (month, vendor, account, currency)"
        f" from invoice_reconciliation where vendor = '{vendor}'"
        f" and month = '{month}' and account = 'main'"
        f" and currency is not distinct from {f'{currency!r}' if currency else 'null'}"
    )
    return found


def test_each_month_account_and_currency_has_a_row(house: RawFiles) -> None:
    sql = "select vendor, month, currency from invoice_reconciliation order by all"
    assert house.query(sql) == [
        ("twin", FEBRUARY, "RUB"),
        ("twin", APRIL, "RUB"),
        ("voximplant", APRIL, "USD"),
        ("whippy", MARCH, "USD"),
        ("whippy", APRIL, "USD"),
        ("zoom", MARCH, "EUR"),
        ("zoom", MARCH, "USD"),
        ("zoom", MARCH, None),
        ("zoom", APRIL, "USD"),
    ]


@pytest.mark.parametrize(
    ("vendor", "month", "currency", "amounts"),
    [
        # final, not final, deleted, base, expected, invoiced, difference
        ("zoom", MARCH, "USD", ("9", None, "2", None, "11", "11.5", "0.5")),
        ("zoom", MARCH, "EUR", ("5", None, None, None, "5", None, None)),
        ("zoom", MARCH, None, (None,) * 7),
        ("zoom", APRIL, "USD", ("4", None, None, None, "4", None, None)),
        ("whippy", MARCH, "USD", ("1.5", None, None, "49", "50.5", "50", "-0.5")),
        ("whippy", APRIL, "USD", (None, None, None, "49", "49", None, None)),
        ("voximplant", APRIL, "USD", (None, "0.25", None, None, "0.25", None, None)),
        ("twin", FEBRUARY, "RUB", (None,) * 5 + ("100.000001", None)),
        ("twin", APRIL, "RUB", ("2", None, None, None, "2", None, None)),
    ],
)
def test_what_is_expected_is_the_sum_of_its_parts(
    house: RawFiles,
    vendor: str,
    month: date,
    currency: str | None,
    amounts: tuple[str | None, ...],
) -> None:
    _, *found = row(house, vendor, month, currency)
    assert found[:7] == [one and Decimal(one) for one in amounts]


@pytest.mark.parametrize(
    ("vendor", "month", "currency", "counts"),
    [
        # calls, pending, without a cost, days that are not complete, notes
        ("zoom", MARCH, "USD", (1, 0, 0, 31, "no. 7; a credit, late")),
        # No cost is to come for a call of two currencies' month: nothing is due.
        ("zoom", MARCH, None, (1, 0, 0, 31, None)),
        # One currency is all that the month has, so it is the pending call's, too.
        ("zoom", APRIL, "USD", (2, 1, 1, 30, None)),
        ("whippy", MARCH, "USD", (1, 0, 0, 0, "no. 3")),
        ("whippy", APRIL, "USD", (0, 0, 0, 21, None)),
        ("voximplant", APRIL, "USD", (1, 1, 0, 30, None)),
        ("twin", FEBRUARY, "RUB", (0, 0, 0, 28, None)),
    ],
)
def test_what_may_explain_a_difference_is_counted(
    house: RawFiles,
    vendor: str,
    month: date,
    currency: str | None,
    counts: tuple[int | str | None, ...],
) -> None:
    calls, *_, pending, without_cost, days, notes = row(house, vendor, month, currency)
    assert (calls, pending, without_cost, days, notes) == counts


@pytest.mark.soak
def test_another_invoice_needs_no_full_build(tmp_path: Path) -> None:
    house = make_house(tmp_path)
    house.invoices = house.invoices[:1]
    assert not house.build().is_full
    assert row(house, "zoom", MARCH, "USD")[6] == 12


def bill(house: RawFiles, vendor: str, month: date, account: str | None = None) -> Bill:
    return read_bill(
        house.config.warehouse.published, vendor, f"{month:%Y-%m}", account
    )


@pytest.mark.parametrize(
    ("vendor", "month", "parts"),
    [
        (
            "zoom",
            MARCH,
            [
                ("EUR", "final", "telephony", 1, "5"),
                ("USD", "final", "telephony", 1, "9"),
                ("USD", "deleted", "telephony", 1, "2"),
            ],
        ),
        (
            "whippy",
            MARCH,
            [
                ("USD", "base", "inbound telephony 2026-03-01", None, "49"),
                ("USD", "final", "telephony", 1, "1.5"),
            ],
        ),
        ("voximplant", APRIL, [("USD", "not final", "telephony", 1, "0.25")]),
        ("twin", FEBRUARY, []),
        # TWIN bills a total, and names no part of it.
        ("twin", APRIL, [("RUB", "final", "unallocated", 1, "2")]),
    ],
)
def test_the_parts_of_a_month_add_up_to_what_is_expected(
    house: RawFiles, vendor: str, month: date, parts: list[tuple[Any, ...]]
) -> None:
    found = bill(house, vendor, month, "main")
    names = ("currency", "state", "part", "calls", "amount")
    assert [tuple(part[name] for name in names) for part in found.parts] == [
        (*given, Decimal(amount)) for *given, amount in parts
    ]
    for one in found.months:
        own = [p["amount"] for p in found.parts if p["currency"] == one["currency"]]
        assert (sum(own) if own else None) == one["expected"]


def test_a_bill_names_payers_and_the_days_that_are_not_complete(
    house: RawFiles,
) -> None:
    found = bill(house, "whippy", MARCH)
    assert found.days == []
    (payer,) = found.payers
    assert (payer["payer_kind"], payer["payer_id"]) == ("channel", "7")
    assert (payer["calls"], payer["amount"]) == (1, Decimal("1.5"))
    days = [tuple(day.values()) for day in bill(house, "whippy", APRIL).days]
    assert days == [
        ("main", "missing", 10, APRIL.replace(day=10), APRIL.replace(day=19)),
        ("main", "in_future", 11, APRIL.replace(day=20), APRIL.replace(day=30)),
    ]
    (never,) = bill(house, "twin", FEBRUARY).days
    assert (never["state"], never["days"]) == ("not requested", 28)


def test_the_command_prints_a_month(house: RawFiles) -> None:
    environment = {"CALLHOUSE__WAREHOUSE": str(house.folder)}
    words = ["bill", "zoom", "2026-03", "--config", str(house.folder)]
    done = CliRunner().invoke(app, words, env=environment)
    assert done.exit_code == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "zoom main 2026-03 USD" in lines
    assert "invoiced less expected 0.5" in lines
    assert "invoiced less expected not known" in lines
    assert "deleted telephony 1 2" in lines
    assert "not requested 31 2026-03-01 2026-03-31" in lines
    done = CliRunner().invoke(app, [*words, "--json"], env=environment)
    found = json.loads(done.stdout)
    assert (found["vendor"], found["month"]) == ("zoom", "2026-03")
    assert [one["expected"] for one in found["months"]] == [
        "5.000000",
        "11.000000",
        None,
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("vendor,month,amount\n", "line 1: the columns must be vendor,account,month"),
        (HEADER + "zoom,main,2026-03,12,USD\n", "line 2: an invoice is vendor,account"),
        (HEADER + "\nzoom,,2026-03,12,USD,\n", "line 3: an invoice is vendor,account"),
        (HEADER + "zom,main,2026-03,12,USD,\n", "line 2 vendor: there is no 'zom' her"),
        (HEADER + "zoom,main,2026-13,12,USD,\n", "line 2: '2026-13' is not a month"),
        (HEADER + "zoom,main,2026-03-01,1,USD,\n", "line 2: '2026-03-01' is not a mo"),
        (HEADER + 'zoom,main,2026-03,"1,019",USD,\n', "line 2: '1,019' is not an am"),
        (HEADER + "zoom,main,2026-03,1e3,USD,\n", "line 2: '1e3' is not an amount"),
        (HEADER + "zoom,main,2026-03,.0000001,USD,\n", "is not an amount; write one"),
        (HEADER + "zoom,main,2026-03,12,usd,\n", "line 2: 'usd' is not a currency"),
        (HEADER + 'zoom,main,2026-03,12,USD,"x\n', "is not a CSV file"),
    ],
)
def test_a_line_that_cannot_be_an_invoice_is_refused_with_its_number(
    tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "invoices.csv"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_invoices(file)
    assert sentence in str(error.value)
    assert "invoices.csv" in str(error.value)


def test_without_a_file_there_are_no_invoices(tmp_path: Path) -> None:
    assert read_invoices(tmp_path / "invoices.csv") == ()
