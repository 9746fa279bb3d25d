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


def zoom(name: str, result: str, took: dict[str, str], account: str = "main") -> Record:
    """Return an outbound call; ``took`` is what became of it at each agent."""
    agents = {agent: [{"user_id": agent, "display_name": agent}] for agent in took}
    payload = {
        "engagement_id": name,
        "direction": "outbound",
        "start_time": AT.isoformat(),
        "result": result,
        "agents": [one for (one,) in agents.values()],
        "voice_call_details": [
            {"agents": agents[agent], "result": part} for agent, part in took.items()
        ],
    }
    return account, name, AT, payload


def voximplant(name: str, number: str, user: str | None = None) -> Record:
    """Return an outbound call from a number, to a user as well."""
    start = f"{AT:%Y-%m-%d %H:%M:%S}"
    leg = {"start_time": start, "incoming": False, "successful": True, "duration": 9}
    customer = {"call_id": 1, "remote_number": "12025550111", "local_number": number}
    legs = [{**leg, **customer, "remote_number_type": "pstn"}]
    if user:
        person = {"call_id": 2, "remote_number": user, "remote_number_type": "user"}
        legs.append({**leg, **person})
    payload = {"call_session_history_id": name, "start_date": start, "calls": legs}
    return "main", name, AT, {**payload, "finish_reason": "Normal termination"}


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
        "zoom,agent_name,Ann,Front\n"
        "zoom,agent_name,Bob,Back\n"
        "voximplant,business_number,+12025550100,Hotline\n"
        "voximplant,business_number,desk,Desk\n"
        f"whippy,channel,{SALES},Too late\n"
    )
    house = RawFiles(
        folder,
        accounts={
            "whippy": ("main",),
            "twin": ("main",),
            "zoom": ("main", "second"),
            "voximplant": ("main",),
        },
        cost_centers=read_cost_centers(file),
    )
    house.load("whippy", [whippy("a", SALES), whippy("b", SUPPORT)])
    house.load("whippy", [whippy("c", "1e400000-sales-2", direction="OUTBOUND")])
    calls = [twin("d", 4711, 2, ["new", "vip"]), twin("e", 4711, 3, ["new"])]
    house.load("twin", [*calls, twin("f", 4712, 5, ["4711"])])
    asked = [zoom("g", "completed", {"Ann": "missed", "Bob": "completed"})]
    asked += [zoom("h", "missed", {"Ann": "missed"}), zoom("i", "new", {"Ann": "new"})]
    asked.append(zoom("h", "completed", {"Bob": "completed"}, "second"))
    house.load("zoom", asked)
    took = {"user_id": 7, "delivery_status": "call_completed", "voicemail": False}
    house.load("whippy", [whippy("h", "other", direction="OUTBOUND", **took)])
    numbers = [("j", "12025550100"), ("k", "desk")]
    house.load("voximplant", [voximplant(*one) for one in numbers])
    house.load("voximplant", [voximplant("l", "12025550102", "Ann")])
    house.load("whippy", [whippy("m", SALES)])
    house.load("whippy", [("main", "m", AT, None)])
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
        ("f", "Reception, all"),  # 4711 is a marker of it, and not the company
        ("g", "Back"),  # Ann was only asked
        ("h", "Back"),  # of the second account
        ("h", "Front"),  # nobody took it, so that Ann counts
        ("h", None),  # of Whippy
        ("i", "Front"),  # whether she took it is not known
        ("j", "Hotline"),
        ("k", "Desk"),
        ("l", None),  # this Ann is of another vendor
        ("m", "Sales"),  # deleted
    ]


def test_every_rule_and_the_calls_that_none_fits_are_counted(house: RawFiles) -> None:
    sql = "select number, calls from ops.cost_center_rules order by all nulls last"
    assert house.query(sql) == [
        *((1, 1), (2, 1), (3, 1), (4, 2), (5, 0), (6, 2), (7, 2), (8, 1), (9, 1)),
        *((10, 0), (None, 3)),
    ]


def test_costs_and_calls_of_a_day_are_by_cost_center(house: RawFiles) -> None:
    costs = "select cost_center, sum(amount) from daily_costs group by 1 order by 1"
    assert house.query(costs) == [
        ("Key accounts", Decimal(2)),
        ("North", Decimal(3)),
        ("Reception, all", Decimal(5)),
    ]
    calls = "select cost_center, sum(calls) from daily_calls group by 1 order by 1"
    assert house.query(calls) == [
        ("Back", 2),
        ("Desk", 1),
        ("Front", 2),
        ("Hotline", 1),
        ("Key accounts", 1),
        ("North", 1),
        ("Reception, all", 2),
        ("Sales", 1),
        (None, 3),
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


@pytest.mark.soak
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
