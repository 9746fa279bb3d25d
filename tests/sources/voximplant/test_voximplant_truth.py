"""What Voximplant's records amount to, compared with the sandbox's truth."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from conftest import LAG, TUESDAY, Row
from reading import House, house
from sandbox_control import truth

from pipelines.planning.windows import DAY
from pipelines.sandbox.process import Sandbox

SINCE = TUESDAY.replace(hour=0) - 6 * DAY
LEDGER = "CALLHOUSE__SOURCES__VOXIMPLANT__TRANSACTION"
LATEST = timedelta(days=3)
"""How long after a call its charge is withdrawn, at the latest."""
OF_THESE_DAYS = f"""
    call_key in (select call_key from fact_calls where started_at >= '{SINCE}')
"""
"""We ask for a second more than the days."""


@pytest.fixture(scope="module")
def built(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> House:
    """Give a night with the ledger of money."""
    settings = {f"{LEDGER}S": "true", f"{LEDGER}_HOLDS": "true"}
    started = {"CALLHOUSE__START": f"{SINCE:%Y-%m-%d}"}
    environment = {**sandbox.environment, **settings}
    one = house(tmp_path_factory.mktemp("truth"), environment, **started)
    assert one.night("voximplant", TUESDAY).errors == ()
    return one


@pytest.fixture(scope="module")
def calls(sandbox: Sandbox) -> dict[str, Row]:
    found = truth(sandbox, "voximplant", SINCE, TUESDAY - LAG)
    assert len(found) > 300
    return {call["vendor_call_id"]: call for call in found}


def test_each_cost_is_that_of_its_leg(built: House, calls: dict[str, Row]) -> None:
    found: dict[str, Counter[tuple[str, Decimal, str]]] = {
        name: Counter() for name in calls
    }
    for name, *line in built.query(
        "select split_part(call_key, ':', 3), component, amount, "
        "coalesce(leg_no::varchar, '') from fact_call_costs "
        f"where is_leaf and amount is not null and {OF_THESE_DAYS}"
    ):
        found[name][tuple(line)] += 1
    for name, call in calls.items():
        lines = [
            (line["component"], Decimal(line["amount"]), line["leg"])
            for line in call["lines"]
        ]
        assert found[name] == Counter(lines), name
    legs = {line["leg"] for call in calls.values() for line in call["lines"]}
    assert {"", "1", "2"} <= legs


def test_each_payer_is_there_from_the_nearest_on(
    built: House, calls: dict[str, Row]
) -> None:
    found: dict[str, list[Row]] = {name: [] for name in calls}
    for name, kind, number, payer in built.query(
        "select split_part(call_key, ':', 3), payer_kind, payer_id, payer_name "
        f"from bridge_call_payers where {OF_THESE_DAYS} order by call_key, level"
    ):
        found[name].append({"kind": kind, "id": number, "name": payer})
    assert found == {name: call["payers"] for name, call in calls.items()}
    nearest = {call["payers"][0]["kind"] for call in calls.values()}
    assert nearest == {"rule", "application"}


def test_what_a_call_cost_was_withdrawn(built: House, calls: dict[str, Row]) -> None:
    withdrawn = dict(
        built.query(
            "select split_part(call_key, ':', 3), sum(ledger_amount) "
            "from transaction_reconciliation where ledger_amount is not null group by 1"
        )
    )
    charged = {
        name: Decimal(call["cost"])
        for name, call in calls.items()
        if call["cost"] is not None and Decimal(call["cost"])
    }
    assert {name: withdrawn.get(name) for name in charged} == charged
    verdicts = dict(
        built.query(
            "select verdict, count(*) from transaction_reconciliation "
            f"where day >= '{SINCE + LATEST:%Y-%m-%d}' group by 1"
        )
    )
    assert verdicts.keys() == {"matched", "no_usage", "not_withdrawn"}, verdicts
    reserved = built.query(
        "select count(*) from vendor_transactions where not is_committed"
    )
    assert reserved[0][0] > 0
