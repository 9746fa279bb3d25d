"""Which cost center the rules of a file give to calls."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from raw_files import NOW, RawFiles, Record

from pipelines.config.cost_centers import CostCenterRule, read_cost_centers
from pipelines.config.toml_file import ConfigError

AT = NOW - timedelta(days=9)
SALES, SUPPORT = "1e400000-sales", "1e400000-support"
HEADER = "vendor,field,value,cost_center\n"


def whippy(name: str, channel: str, **more: object) -> Record:
    payload = {"id": name, "direction": "INBOUND", "created_at": AT.isoformat()}
    return "main", name, AT, {**payload, "channel_id": channel, **more}


def twin(name: str, company: int, cost: float, markers: list[str]) -> Record:
    moment = AT.isoformat()
    payload = {"callId": name, "createdAt": moment, "startedAt": moment}
    more = {"billedAt": moment, "companyId": company, "markers": markers}
    return "main", name, AT, {**payload, **more, "duration": 60, "totalCost": cost}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> RawFiles:
    folder = tmp_path_factory.mktemp("cost_centers")
    file = folder / "cost_centers.csv"
    file.write_text(
        HEADER + "whippy,channel,*-sales,Sales\n"
        "*,markers,vip,Key accounts\n"
        "twin,company,4711,North\n"
        '*,direction,inbound,"Reception, all"\n'
        "twin,queue_name,Nobody,Empty\n"
    )
    house = RawFiles(
        folder,
        accounts={"whippy": ("main",), "twin": ("main",)},
        cost_centers=read_cost_centers(file),
    )
    house.load("whippy", [whippy("a", SALES), whippy("b", SUPPORT)])
    house.load("whippy", [whippy("c", "1e400000-sales-2", direction="OUTBOUND")])
    calls = [twin("d", 4711, 2, ["new", "vip"]), twin("e", 4711, 3, ["new"])]
    house.load("twin", [*calls, twin("f", 4712, 5, [])])
    house.build()
    return house


def test_the_first_rule_that_fits_counts(house: RawFiles) -> None:
    sql = "select vendor_call_id, cost_center from fact_calls order by all"
    assert house.query(sql) == [
        ("a", "Sales"),
        ("b", "Reception, all"),
        ("c", None),  # another channel, and outbound
        ("d", "Key accounts"),  # of a list of markers one is enough
        ("e", "North"),
        ("f", "Reception, all"),
    ]


def test_every_rule_and_the_calls_that_none_fits_are_counted(house: RawFiles) -> None:
    sql = "select number, calls from ops.cost_center_rules order by all nulls last"
    assert house.query(sql) == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 0), (None, 1)]


def test_costs_and_calls_of_a_day_are_by_cost_center(house: RawFiles) -> None:
    costs = "select cost_center, sum(amount) from daily_costs group by 1 order by 1"
    assert house.query(costs) == [
        ("Key accounts", Decimal(2)),
        ("North", Decimal(3)),
        ("Reception, all", Decimal(5)),
    ]
    calls = "select cost_center, sum(calls) from daily_calls group by 1 order by 1"
    assert house.query(calls) == [
        ("Key accounts", 1),
        ("North", 1),
        ("Reception, all", 2),
        ("Sales", 1),
        (None, 1),
    ]


def test_one_id_in_two_accounts_is_of_two_cost_centers(tmp_path: Path) -> None:
    rules = [(SALES, "Sales"), (SUPPORT, "Support")]
    house = RawFiles(
        tmp_path,
        accounts={"whippy": ("main", "second")},
        cost_centers=tuple(
            CostCenterRule(number, "whippy", "channel", channel, center)
            for number, (channel, center) in enumerate(rules, 1)
        ),
    )
    _, *other = whippy("a", SUPPORT)
    house.load("whippy", [whippy("a", SALES), ("second", *other)])
    house.build()
    found = house.query("select account, cost_center from fact_calls order by all")
    assert found == [("main", "Sales"), ("second", "Support")]


def test_another_file_changes_the_calls_of_before(tmp_path: Path) -> None:
    house = RawFiles(tmp_path)
    house.load("whippy", [whippy("a", SALES)])
    house.build()
    house.cost_centers = (CostCenterRule(1, "*", "payer_id", SALES, "Sales"),)
    assert house.build().is_full
    assert house.query("select cost_center from fact_calls") == [("Sales",)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("vendor,field,cost_center\n", "line 1: the columns must be vendor,field,val"),
        (HEADER + "whippy,channel,x\n", "line 2: a rule is vendor,field,value,cost_c"),
        (HEADER + "\nwhippy,channel,,Sales\n", "line 3: a rule is vendor,field,value"),
        (HEADER + "whipy,channel,x,Sales\n", "line 2 vendor: there is no 'whipy' her"),
        (HEADER + "*,channel,x,A\n*,channel,x,B\n", "line 3: line 2 has the same ven"),
        (HEADER + '*,channel,"x,A\n', "is not a CSV file"),
    ],
)
def test_a_rule_that_cannot_be_one_is_refused_with_its_line(
    tmp_path: Path, text: str, sentence: str
) -> None:
    file = tmp_path / "cost_centers.csv"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_cost_centers(file)
    assert sentence in str(error.value)
    assert "cost_centers.csv" in str(error.value)


def test_only_the_star_of_a_value_stands_for_other_text() -> None:
    assert CostCenterRule(1, "*", "queue_name", "a.b (1)*", "X").pattern == (
        r"a\.b\ \(1\).*"
    )


def test_without_a_file_there_are_no_rules(tmp_path: Path) -> None:
    assert read_cost_centers(tmp_path / "cost_centers.csv") == ()
