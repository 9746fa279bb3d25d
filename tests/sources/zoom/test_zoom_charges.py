"""Zoom's charge is text: what it amounts to, read by the model itself."""

import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from contract import Warehouse, example
from hypothesis import given
from hypothesis import strategies as st

from transforms.runner.model import read_model

MODELS = Path("transforms/models")


def amounts(*charges: str) -> list[Decimal | None]:
    model = read_model(MODELS / "staging/zoom/zoom__charges.sql", MODELS)
    with duckdb.connect() as connection:
        connection.execute("create schema staging")
        connection.execute(
            "create table staging.zoom__voice_calls as select {'charge': charge,"
            " 'voice_call_details': null::struct(charge varchar)[]} as record"
            " from unnest(?::varchar[]) as given(charge)",
            [list(charges)],
        )
        connection.execute("create table staging.zoom__rates (rate varchar)")
        found = dict(
            connection.execute(f"select charge, amount from ({model.sql})").fetchall()
        )
    return [found[charge] for charge in charges]


@pytest.mark.parametrize(
    ("charge", "amount"),
    [
        ("$0.019", "0.019"),
        ("-$0.05", "-0.05"),
        ("$-0.05", "-0.05"),
        ("US$1.00", "1"),
        ("1.5 USD", "1.5"),
        ("$.05", "0.05"),
        (" €1,234,567.891 ", "1234567.891"),
        ("0.00001", "0.00001"),
        ("1e-05", "0.00001"),
        ("1.019", "1.019"),
        ("$1.05", "1.05"),
        ("$1.019", "1.019"),
        ("€1,05", "1.05"),
        ("$1,23", "1.23"),
        ("0,019 €", "0.019"),
        ("-€0,019", "-0.019"),
        ("€,05", "0.05"),
        ("€1234,567", "1234.567"),
        ("€1,0190", "1.019"),
        ("$1,234.50", "1234.5"),
        ("$1,234.567", "1234.567"),
        ("1.234,50 €", "1234.5"),
        ("1.234,567 €", "1234.567"),
        ("$1,234,567", "1234567"),
        ("€1.234.567", "1234567"),
        ("1 234,50 €", "1234.5"),
        ("1\u202f019\u00a0€", "1019"),
        ("CHF 1'019.05", "1019.05"),
    ],
)
def test_a_charge_is_its_number(charge: str, amount: str) -> None:
    assert amounts(charge) == [Decimal(amount)]


@pytest.mark.parametrize(
    "charge",
    [
        *("", "-", "$", "N/A", "--$1", "$1.2.3", "($1)", "call 7 later", "$1,2,3"),
        *("€1,019", "-€12,345", "999,000 €", "$1,23.45", "$1.234,5.6", "1 23 €", "€1,"),
    ],
)
def test_what_is_no_amount_is_never_zero(charge: str) -> None:
    assert amounts(charge) == [None]


@pytest.mark.soak
def test_an_account_says_what_its_comma_and_its_point_mean(tmp_path: Path) -> None:
    charges = ["$1,019", "$1.019", "$1,05", "$1,234.50", "1.019"]
    full = example("zoom", "full")
    records = [
        {**full, "engagement_id": charge, "charge": charge, "rates": []}
        for charge in charges
    ]
    warehouse = Warehouse(tmp_path)
    warehouse.send("zoom", [json.dumps(one).encode() for one in records])
    found = {}
    for separator in (None, ".", ","):
        warehouse.build(decimal_separator=separator)
        rows = warehouse.query("select vendor_call_id, cost_total from fact_calls")
        costs = {row["vendor_call_id"]: row["cost_total"] for row in rows}
        listed = warehouse.query(
            "select value from ops.unmapped_values where field = 'charge'"
        )
        found[separator] = (
            [costs[one] and f"{costs[one].normalize():f}" for one in charges],
            [row["value"] for row in listed],
        )
    assert found == {
        None: ([None, "1.019", "1.05", "1234.5", "1.019"], ["$1,019"]),
        ".": (["1019", "1.019", "1.05", "1234.5", "1.019"], []),
        ",": (["1.019", "1019", "1.05", "1234.5", "1.019"], []),
    }


@pytest.mark.soak
@given(st.lists(st.decimals("-99999999", "99999999", places=6), min_size=1))
def test_a_printed_amount_is_read_back_exactly(given_amounts: list[Decimal]) -> None:
    charges = [f"{'-' if one < 0 else ''}${abs(one):,f}" for one in given_amounts]
    assert amounts(*charges) == given_amounts
