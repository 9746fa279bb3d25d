"""Values at the edge of their type, and odd price lists, all the way."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from contract import (
    FOLDER,
    PRICE_LIST,
    PRICES,
    WIRES,
    Json,
    Warehouse,
    example,
    page,
)

EDGES: list[Json] = json.loads((FOLDER / "edges.json").read_text("utf-8"))
LONG = "x" * 1_000_000
HOSTILE = {
    "": 1,
    "\0": 1,
    "x" * 100_000: 1,
    "$.id": "x",
    "[0]": 1,
    "__proto__": {},
    "a'); drop table fact_calls; --": 1,
    '"; drop table fact_calls; --': 1,
}
"""Keys that are odd in themselves."""
OF_ITS_OWN = ("call_key", "vendor_call_id", "source_payload", "loaded_at")
"""Columns in which two calls differ that differ in nothing."""


def edge_id(edge: Json) -> str:
    return f"{edge['vendor']} {edge['key']} {edge['raw']}"[:60]


def written(edge: Json, number: int) -> bytes:
    """Return the full example with one value as it is written in the file."""
    record = example(edge["vendor"], "full")
    identity = WIRES[edge["vendor"]].identity
    record[identity] = f"edge-{number}"
    record[edge["key"]] = "@"
    return json.dumps(record).replace('"@"', edge["raw"], 1).encode()


def odd_keys(value: Json) -> Json:
    """Return a value whose objects have keys beside their own that mean nothing."""
    if isinstance(value, list):
        return [odd_keys(one) for one in value]
    if not isinstance(value, dict):
        return value
    first = {key.swapcase(): "odd" for key in value if key.swapcase() not in value}
    own = {key: odd_keys(one) for key, one in value.items()}
    return {**first, **own, **{key.title(): 7 for key in first}, **HOSTILE}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    made = Warehouse(tmp_path_factory.mktemp("edges"))
    for vendor in WIRES:
        records = [
            written(edge, number)
            for number, edge in enumerate(EDGES)
            if edge["vendor"] == vendor
        ]
        long = {**example(vendor, "full"), WIRES[vendor].identity: "long"}
        long = {
            key: LONG
            if value == "completed" or key in {"emotion", "language"}
            else value
            for key, value in long.items()
        }
        plain = {**example(vendor, "full"), WIRES[vendor].identity: "plain"}
        odd = odd_keys({**plain, WIRES[vendor].identity: "odd"})
        records += [json.dumps(one).encode() for one in (long, plain, odd)]
        ledger = made.send(vendor, records)
        assert (ledger["state"], ledger["error"]) == ("complete", None)
    made.build()
    return made


@pytest.mark.parametrize("edge", EDGES, ids=edge_id)
def test_a_value_at_the_edge_is_right_or_told_of(
    warehouse: Warehouse, edge: Json
) -> None:
    number = EDGES.index(edge)
    if "refused" in edge:
        payload = written(edge, number).decode()
        (aside,) = warehouse.query(
            "select reason from ops.quarantine where payload = ?", payload
        )
        assert re.search(edge["refused"], aside["reason"])
        return
    expected = edge.get("fact", {})
    call_id = expected.get("vendor_call_id", f"edge-{number}")
    key = f"{edge['vendor']}:main:{call_id}"
    (fact,) = warehouse.query("from fact_calls where call_key = ?", key)
    found = {name: None if fact[name] is None else str(fact[name]) for name in expected}
    assert found == expected
    words = warehouse.query(
        "select field from ops.unmapped_values_by_call where call_key = ?", key
    )
    assert {row["field"] for row in words} == set(edge.get("listed", ()))


@pytest.mark.parametrize("vendor", WIRES)
def test_keys_that_differ_by_case_or_are_hostile_change_nothing(
    warehouse: Warehouse, vendor: str
) -> None:
    for table in ("fact_calls", "fact_call_costs", "fact_call_legs"):
        plain, odd = (
            [
                {key: of for key, of in row.items() if key not in OF_ITS_OWN}
                for row in warehouse.query(
                    f"from {table} where call_key = ? order by all",
                    f"{vendor}:main:{name}",
                )
            ]
            for name in ("plain", "odd")
        )
        assert plain == odd, table
        assert plain or table != "fact_calls"


def test_a_long_value_is_kept_whole_and_told_of_in_short(warehouse: Warehouse) -> None:
    (fact,) = warehouse.query(
        "select vendor_outcome from fact_calls where call_key = 'zoom:main:long'"
    )
    assert fact["vendor_outcome"] == LONG
    (word,) = warehouse.query(
        "select value from ops.unmapped_values_by_call"
        " where call_key = 'zoom:main:long'"
    )
    assert LONG.startswith(word["value"])
    assert len(word["value"]) < 1000


def odd(change: Json) -> Json:
    """Return the price list of an account, with one value changed or left out."""
    prices = {**PRICES, **change}
    kept = {key: value for key, value in prices.items() if value is not None}
    return {**PRICE_LIST, "billingSettings": {"inboundVoiceCalls": kept}}


PRICE_LISTS: list[tuple[Json, str | None, str | None]] = [
    (odd({}), "0.120000", None),
    (
        odd({"baseCost": None, "rawUnitMultiplier": None, "allowance": None}),
        "0.12",
        None,
    ),
    (odd({"unitCost": "0.02", "allowance": "5"}), "0.020000", None),
    (odd({"unitCost": 0}), "0.000000", None),
    (odd({"unitCost": None}), None, None),
    (odd({"unitCost": "free"}), None, "unitCost"),
    (odd({"unitCost": -0.02}), None, "unitCost"),
    (odd({"unitCost": 1e-7}), None, "unitCost"),
    (odd({"unitCost": 1e12}), None, "unitCost"),
    (odd({"unitCost": 1e8, "rawUnitMultiplier": 1e8}), None, None),
    (odd({"unitCost": {"a": 1}}), None, "unitCost"),
    (odd({"allowance": True}), None, "allowance"),
    (odd({"rawUnitMultiplier": [1]}), None, "rawUnitMultiplier"),
    ({**PRICE_LIST, "billingSettings": {"inboundVoiceCalls": 7}}, None, ""),
    ({**PRICE_LIST, "billingSettings": {}}, None, None),
    ({**PRICE_LIST, "billingSettings": None}, None, None),
    ({**PRICE_LIST, "billingSettings": [1]}, None, "billingSettings"),
]
CURRENCIES: list[tuple[Json, str | None]] = [
    ({"currency": "EUR"}, "EUR"),
    ({"currency": "RUR"}, "RUB"),
    ({}, None),
    ({"currency": None}, None),
    ({"currency": ""}, None),
    ({"currency": 7}, None),
    ({"currency": {"a": 1}}, None),
    ({"currency": "dollars"}, None),
]


def test_an_odd_price_list_leaves_its_own_calls_unrated_and_is_told_of(
    tmp_path: Path,
) -> None:
    warehouse = Warehouse(tmp_path)
    session = example("evovoice", "full")
    records, others = [], {}
    for number, (listed, _, _) in enumerate(PRICE_LISTS):
        owner = f"owner-{number}"
        others[f"/accounts/{owner}"] = {**listed, "id": owner}
        call = {**session, "id": f"call-{number}", "accountId": owner}
        records.append(json.dumps(call).encode())
    warehouse.send("evovoice", records, others=others)
    warehouse.build()
    for number, (_, cost, told) in enumerate(PRICE_LISTS):
        key = f"evovoice:main:call-{number}"
        (fact,) = warehouse.query("from fact_calls where call_key = ?", key)
        expected = None if cost is None else Decimal(cost)
        assert (number, fact["cost_total"]) == (number, expected)
        words = warehouse.query(
            "from ops.unmapped_values_by_call where call_key = ?", key
        )
        fields = [f"billingSettings.inboundVoiceCalls.{told}".rstrip(".")]
        if told == "billingSettings":
            fields = ["billingSettings"]
        assert [word["field"] for word in words] == (fields if told is not None else [])


def test_without_a_currency_an_amount_is_no_cost_and_is_told_of(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    record = json.dumps(example("voximplant", "full")).encode()
    accounts = {
        f"a{number}": {"/GetAccountInfo": {"result": {"account_id": 1, **account}}}
        for number, (account, _) in enumerate(CURRENCIES)
    }
    warehouse.answer_all("voximplant", page("voximplant", [record]), accounts)
    warehouse.build()
    for number, (_, currency) in enumerate(CURRENCIES):
        mine = f"a{number}"
        (fact,) = warehouse.query("from fact_calls where account = ?", mine)
        assert fact["currency"] == currency
        assert (fact["cost_total"] is None) == (currency is None)
        words = warehouse.query(
            "select field from ops.unmapped_values_by_call where call_key like ?",
            f"%:{mine}:%",
        )
        assert [word["field"] for word in words] == ([] if currency else ["currency"])
