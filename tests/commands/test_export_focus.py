"""Costs as a FOCUS dataset: each charge once, exact, and as the standard asks for."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import Result
from patience import PATIENCE
from raw_files import NOW, RECORDS, RawFiles, Record, whippy_call
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.config.cost_centers import CostCenterRule
from pipelines.config.rate_cards import RateCard

AT = datetime(2026, 3, 31, 23, 59, 30, tzinfo=UTC)
MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
TEXTS = """
AvailabilityZone BillingAccountId BillingAccountName BillingCurrency ChargeCategory
ChargeClass ChargeDescription ChargeFrequency CommitmentDiscountCategory
CommitmentDiscountId CommitmentDiscountName CommitmentDiscountStatus
CommitmentDiscountType ConsumedUnit InvoiceIssuerName PricingCategory PricingUnit
ProviderName PublisherName RegionId RegionName ResourceId ResourceName ResourceType
ServiceCategory ServiceName SkuId SkuPriceId SubAccountId SubAccountName Tags
"""
VALIDATOR = Path(__file__).parents[2] / ".venv-focus/bin/focus-validator"
FORMER = {
    "InvoiceIssuerName": "InvoiceIssuer",
    "ProviderName": "Provider",
    "PublisherName": "Publisher",
    "ResourceId": "ResourceID",
}
"""Columns that the validator's rules for 1.0 ask for under the names of a draft."""
TIMES = "BillingPeriodEnd BillingPeriodStart ChargePeriodEnd ChargePeriodStart"
NUMBERS = """
BilledCost ConsumedQuantity ContractedCost ContractedUnitPrice EffectiveCost
ListCost ListUnitPrice PricingQuantity
"""
COLUMNS = {
    **dict.fromkeys(TEXTS.split(), "VARCHAR"),
    **dict.fromkeys(TIMES.split(), "TIMESTAMP WITH TIME ZONE"),
    **dict.fromkeys(NUMBERS.split(), "DECIMAL"),
}
"""The columns of FOCUS 1.0, with the types that it asks for."""
NEVER_NULL = """
BilledCost BillingAccountId BillingCurrency BillingPeriodEnd BillingPeriodStart
ChargeCategory ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost
InvoiceIssuerName ListCost ProviderName PublisherName ServiceCategory ServiceName
SkuId SkuPriceId
"""


def whippy(name: str, channel: str) -> Record:
    account, name, at, payload = whippy_call(name, AT)
    return account, name, at, {**(payload or {}), "channel_id": channel}


def twin(name: str, **costs: int) -> Record:
    moment = AT.isoformat()
    payload = {"callId": name, "createdAt": moment, "startedAt": moment}
    more = {
        "duration": 90,
        "billedAt": moment,
        "totalCost": 2.000001,
        "companyId": 4711,
    }
    return "main", name, AT, {**payload, **more, **costs}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> RawFiles:
    card = RateCard(
        *("whippy", "main", "inbound", "ai_platform", "minute"),
        increment=Decimal(60),
        unit_price=Decimal("0.07"),
        currency="USD",
        valid_from=date(2026, 3, 1),
        base_cost=Decimal(49),
    )
    house = RawFiles(
        tmp_path_factory.mktemp("focus"),
        accounts={"whippy": ("main",), "twin": ("main",)},
        cards=(card,),
        cost_centers=(CostCenterRule(1, "*", "company", "4711", 'N"orth'),),
        now=NOW,
    )
    house.load("whippy", [whippy("a", "=1+1"), whippy("gone", "c")])
    house.load("whippy", [(*whippy("gone", "c")[:3], None)])
    charged = twin("charged", mainCallTotalCost=3, totalCost=3)
    house.load("twin", [twin("b"), charged])
    house.load("twin", [(*charged[:3], None)])
    house.build()
    return house


def export(house: RawFiles, folder: Path) -> Result:
    place = {"CALLHOUSE__WAREHOUSE": str(house.folder)}
    words = ["export", "focus", str(folder), "--config", str(house.folder)]
    return CliRunner().invoke(app, words, env=place)


@pytest.fixture(scope="module")
def charges(
    house: RawFiles, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyRelation]:
    folder = tmp_path_factory.mktemp("exported") / "out"
    for _ in range(2):  # the second replaces the first
        done = export(house, folder)
        assert (done.exit_code, done.stderr.count("no known start")) == (0, 0)
    assert [path.name for path in folder.iterdir()] == ["focus.parquet"]
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection.read_parquet(str(folder / "focus.parquet"))


def values(charges: duckdb.DuckDBPyRelation, of: str, names: str) -> tuple[Any, ...]:
    (row,) = (
        charges.filter(f"ServiceName = '{of}' and SkuId not like '%04-01'")
        .project(names)
        .fetchall()
    )
    return tuple(row)


def test_the_columns_are_those_of_focus(charges: duckdb.DuckDBPyRelation) -> None:
    types = zip(charges.columns, map(str, charges.types), strict=True)
    found = {name: one.partition("(")[0] for name, one in types}
    assert {name: found.get(name) for name in COLUMNS} == COLUMNS
    assert all(name.startswith("x_") for name in found.keys() - COLUMNS.keys())
    for name in NEVER_NULL.split():
        assert charges.filter(f"{name} is null").fetchall() == [], name


def test_a_charge_is_a_line_of_a_call(charges: duckdb.DuckDBPyRelation) -> None:
    money = "BilledCost, EffectiveCost, ListCost, ContractedCost, BillingCurrency"
    cost = Decimal("0.07")
    assert values(charges, "ai_platform", money) == (*(cost,) * 4, "USD")
    period = "ChargePeriodStart, ChargePeriodEnd, BillingPeriodStart, BillingPeriodEnd"
    ended = AT + timedelta(seconds=60)
    assert values(charges, "ai_platform", period) == (AT, ended, MARCH, APRIL)
    what = "ResourceId, SkuId, SubAccountId, ServiceCategory, ChargeFrequency, Tags"
    assert values(charges, "ai_platform", what) == (
        *("whippy:main:a", "whippy:ai_platform", "channel:=1+1"),
        *("AI and Machine Learning", "Usage-Based", "{}"),
    )
    used = "PricingQuantity, PricingUnit, ListUnitPrice"
    assert values(charges, "ai_platform", used) == (1, "minute", cost)


def test_what_no_line_explains_is_a_charge(charges: duckdb.DuckDBPyRelation) -> None:
    names = "BilledCost, BillingCurrency, SubAccountId, Tags"
    cost, *others, tags = values(charges, "unallocated", names)
    assert (cost, *others) == (Decimal("2.000001"), "RUB", "company:4711")
    assert json.loads(tags) == {"cost_center": 'N"orth'}


def test_a_deleted_call_is_a_charge_where_its_vendor_charged_for_it(
    house: RawFiles, charges: duckdb.DuckDBPyRelation
) -> None:
    deleted = house.query(
        "select call_key, cost_source, cost_total from fact_calls where is_deleted"
        " order by all"
    )
    assert deleted == [
        ("twin:main:charged", "reported", 3),
        ("whippy:main:gone", "rated", Decimal("0.07")),
    ]
    found = charges.filter("ResourceId in ('twin:main:charged', 'whippy:main:gone')")
    amounts = found.project("ResourceId, BilledCost, BillingCurrency").fetchall()
    assert amounts == [("twin:main:charged", 3, "RUB")]


def test_all_charges_are_the_costs_and_the_base_costs(
    house: RawFiles, charges: duckdb.DuckDBPyRelation
) -> None:
    sums = "BillingCurrency, ChargeCategory, sum(BilledCost)"
    found = charges.aggregate(sums, "BillingCurrency, ChargeCategory").order("all")
    calls = "select currency, 'Usage', sum(amount) from daily_costs"
    calls += " where component != 'base' group by 1"
    base = "select currency, 'Purchase', sum(base_cost) from monthly_account_usage"
    expected = house.query(f"{calls} union all {base} group by 1 order by all")
    assert found.fetchall() == expected
    assert len(expected) == 3


@pytest.mark.soak
@pytest.mark.skipif(
    not VALIDATOR.exists(), reason="it has an environment of its own: make focus"
)
def test_the_published_validator_accepts_it(
    charges: duckdb.DuckDBPyRelation, tmp_path: Path
) -> None:
    # A copy, since it takes no decimals, and one of its rules reads ChargeType.
    columns = [
        f"{name}{'::double' if one == 'DECIMAL' else ''} as {FORMER.get(name, name)}"
        for name, one in COLUMNS.items()
    ]
    copy = tmp_path / "copy.parquet"
    renamed = ", ".join([*columns, "ChargeCategory as ChargeType"])
    charges.project(renamed).write_parquet(str(copy))
    (place,) = VALIDATOR.parents[1].glob("lib/python3*/site-packages")
    done = subprocess.run(
        [VALIDATOR, "--data-file", copy, "--validate-version", "1.0"],
        cwd=place,  # it looks for its list of currencies from there
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    # Its exit code is 0 also where it finds faults.
    assert "Validation succeeded." in done.stdout, done.stdout + done.stderr


def test_a_cost_without_a_time_is_told(tmp_path: Path) -> None:
    house = RawFiles(tmp_path, accounts={"zoom": ("main",)})
    call = json.dumps({"engagement_id": "z", "start_time": "soon", "charge": "$9"})
    house.write("zoom", "voice_calls", RECORDS, [("main", "z", None, AT, AT, call)])
    house.build()
    assert house.query("select started_at from fact_calls") == [(None,)]
    done = export(house, tmp_path / "out")
    assert done.exit_code == 1
    assert "1 calls have a cost and no known start" in done.stderr
