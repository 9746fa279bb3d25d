"""What a text that stands for a party is read as: a number, or something else."""

import csv
import json
from pathlib import Path
from typing import get_args

import duckdb
import phonenumbers
import pytest
from contract import Warehouse, example
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from transforms.runner import phone_numbers as numbers
from transforms.runner.phone_numbers import Kind, read_number

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "transforms/models/intermediate/phone_numbers.sql"
CASES = ROOT / "tests/cases/phone_numbers.csv"

written = st.text("0123456789+ -()/.x", min_size=1, max_size=24)
texts = st.one_of(
    st.text(),
    written,
    st.builds("{}{}".format, st.sampled_from(["+", "00", "8", "+44 (0)"]), written),
    st.from_regex(r"\+?[1-9][0-9]{5,14}", fullmatch=True),
)
regions = st.sampled_from([None, "US", "GB", "DE", "IT", "RU", "KZ", "AT"])


def test_every_text_is_read_as_its_case_says() -> None:
    """As the model reads them, the account of a region being named like it."""
    with CASES.open(encoding="utf-8", newline="") as file:
        cases = [tuple(row.values()) for row in csv.DictReader(file)]
    with duckdb.connect() as connection:
        numbers.register(connection)
        connection.execute(
            "create schema staging; create schema config;"
            "create table staging.calls (vendor text, account text,"
            " customer_number text, business_number text);"
            "create table config.accounts (vendor text, account text, region text);"
            "create table staging.number_formats as select * from (values"
            " ('twin', true, null), ('voximplant', true, true))"
            " as formats (vendor, omits_plus, has_named_users)"
        )
        connection.executemany(
            "insert into staging.calls values (?, ?, ?, null)",
            [(vendor, region, text) for vendor, region, text, *_ in cases],
        )
        connection.execute(
            "insert into config.accounts select distinct vendor, account,"
            " nullif(account, '') from staging.calls"
        )
        rows = connection.execute(MODEL.read_text("utf-8")).fetchall()
    found = {tuple(one or "" for one in row) for row in rows}
    assert found ^ set(cases) == set()


@given(texts, regions, st.booleans())
def test_any_text_has_a_kind_and_a_number_in_full_is_read_as_itself(
    text: str,
    region: str | None,
    omits_plus: bool,  # noqa: FBT001 - hypothesis fills it by place
) -> None:
    found = read_number(text, region, omits_plus=omits_plus)
    assert found.kind in get_args(Kind)
    assert (found.e164 is None) == (found.kind != "e164")
    if found.e164 is not None:
        assert 7 <= len(found.e164) <= 16
        assert read_number(found.e164, None) == found
        assert read_number(found.e164, region, omits_plus=omits_plus) == found


EXAMPLES = {
    number.national_number: number
    for region in phonenumbers.SUPPORTED_REGIONS
    for kind in PhoneNumberType.values()
    if (number := phonenumbers.example_number_for_type(region, kind))
    and phonenumbers.is_valid_number(number)
    and (
        number.italian_leading_zero
        or phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True) == "0"
    )
}
"""Numbers of all plans in which a 0 is dialled, at home only or from everywhere."""
COLOMBIA = 57
"""A mobile number there with a 0 in front is a number of another kind."""


@given(st.sampled_from(sorted(EXAMPLES.items())), st.sampled_from(["(0)", "( 0 ) "]))
def test_a_zero_in_brackets_is_read_as_the_zero_without_them(
    example: tuple[int, PhoneNumber], zero: str
) -> None:
    _, number = example
    national = phonenumbers.national_significant_number(number)
    rest = national.removeprefix("0") if number.italian_leading_zero else national
    found = read_number(f"+{number.country_code} {zero}{rest}", None)
    if number.country_code != COLOMBIA:
        assert found == read_number(f"+{number.country_code} 0{rest}", None)
    assert found == read_number(f"+{number.country_code}{national}", None)


@pytest.mark.parametrize(("length", "kind"), [(250, "e164"), (251, "unknown")])
def test_a_text_longer_than_any_number_is_none(length: int, kind: Kind) -> None:
    text = "tel:+12025550123;isub=".ljust(length, "4")
    assert read_number(text, None).kind == kind


@given(
    st.sampled_from(sorted(EXAMPLES.items())),
    st.sampled_from(["{}.0", "{}.00", "{} ext 7", "{};verstat=a", "{},,7#", "{} x7"]),
)
def test_what_stands_behind_a_number_makes_no_other_number_of_it(
    example: tuple[int, PhoneNumber], form: str
) -> None:
    e164 = phonenumbers.format_number(example[1], PhoneNumberFormat.E164)
    assert read_number(form.format(e164), None) == read_number(e164, None)


@pytest.mark.soak
def test_a_region_that_is_configured_later_is_that_of_the_calls_held(
    tmp_path: Path,
) -> None:
    warehouse = Warehouse(tmp_path)
    record = {**example("whippy", "full"), "from": "020 7946 0123"}
    warehouse.send("whippy", [json.dumps(record).encode()])
    read = []
    for region in (None, "GB"):
        warehouse.build(region=region)
        (fact,) = warehouse.query(
            "select customer_number, customer_number_kind, country, region"
            " from fact_calls join dim_accounts using (vendor, account)"
        )
        read.append(tuple(fact.values()))
    assert read == [
        (None, "unknown", None, None),
        ("+442079460123", "e164", "GB", "GB"),
    ]
