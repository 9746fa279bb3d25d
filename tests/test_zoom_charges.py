"""Zoom's charge is text: what it amounts to, read by the model itself."""

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.model import read_model

MODELS = Path("transforms/models")


def amounts(*charges: str) -> list[Decimal | None]:
    model = read_model(MODELS / "staging/zoom__charges.sql", MODELS)
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
    ],
)
def test_a_charge_is_its_number(charge: str, amount: str) -> None:
    assert amounts(charge) == [Decimal(amount)]


@pytest.mark.parametrize(
    "charge",
    ["", "-", "$", "N/A", "0,019 €", "$1,23", "--$1", "$1.2.3", "($1)", "call 7 later"],
)
def test_what_is_no_amount_is_never_zero(charge: str) -> None:
    assert amounts(charge) == [None]


@given(st.lists(st.decimals("-99999999", "99999999", places=6), min_size=1))
def test_a_printed_amount_is_read_back_exactly(given_amounts: list[Decimal]) -> None:
    charges = [f"{'-' if one < 0 else ''}${abs(one):,f}" for one in given_amounts]
    assert amounts(*charges) == given_amounts
