"""What is personal of a record, and what of a call does not depend on it."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from conftest import VENDORS
from contract import BASES, WIRES, Warehouse, example

from pipelines.load.personal import ANY, blanked, personal_keys, texts_of
from pipelines.sources import documented_fields, streams_of

PERSONAL = {
    *("customer_number", "customer_number_kind", "country", "is_erased"),
    *("call_key", "vendor_call_id", "first_loaded_at", "last_loaded_at", "load_id"),
    *("is_recorded", "is_voicemail"),
    "parent_call_key",  # both calls have the ids of one line
}
"""Columns that may be another once the personal keys of a record are blank."""


def names_in(value: Any, above: str = "") -> Iterator[str]:  # noqa: ANN401
    """Yield the path of every key in a record."""
    for name, inside in value.items() if isinstance(value, dict) else ():
        yield f"{above}{name}"
        yield from names_in(inside, f"{above}{name}.")
    for one in value if isinstance(value, list) else ():
        yield from names_in(one, above)


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_personal_key_is_one_of_the_vendors(vendor: str) -> None:
    files = (*BASES, "engagement") if vendor == "zoom" else BASES
    known = {name for file in files for name in names_in(example(vendor, file))}
    documented = [one.path.replace("[]", "") for one in documented_fields(vendor)]
    for stream in streams_of(vendor):
        if not stream.is_full_refresh:
            assert stream.personal, f"{vendor} {stream.name}: who is its customer?"
        for key in personal_keys(stream.personal):
            path = ".".join(key.names).removesuffix(f".{ANY}")
            assert path in known or any(
                one == path or one.startswith(f"{path}.") for one in documented
            ), path
            if key.beside:
                beside = ".".join([*key.names[:-1], key.beside])
                assert beside in known, f"{path}: {beside} decides"


@pytest.mark.parametrize(
    "vendor",
    [
        "evovoice",
        *(pytest.param(one, marks=pytest.mark.soak) for one in VENDORS[1:]),
    ],
)
def test_without_the_personal_keys_all_else_of_a_call_is_as_it_was(
    vendor: str, tmp_path: Path
) -> None:
    warehouse, wire, ids = Warehouse(tmp_path), WIRES[vendor], count(7001)
    (stream,) = [one for one in streams_of(vendor) if one.name == wire.stream]
    pairs, sent = [], []
    for base in BASES:
        record = example(vendor, base)
        clean = json.loads(blanked(json.dumps(record), stream.personal))
        assert clean != record or base != "full"
        for one in (record, clean):
            number = next(ids)
            one[wire.identity] = number if vendor == "voximplant" else str(number)
            for leg in one.get("voice_call_details", ()):
                leg["engagement_id"] = str(number)
            sent.append(json.dumps(one).encode())
        pairs.append((number - 1, number))
    warehouse.send(vendor, sent)
    warehouse.build()
    facts = {row["vendor_call_id"]: row for row in warehouse.query("from fact_calls")}
    for before, after in pairs:
        was, now_is = facts[str(before)], facts[str(after)]
        changed = {name for name in was if was[name] != now_is[name]}
        assert changed <= PERSONAL, changed - PERSONAL
        assert now_is["customer_number"] is None
        for table in ("fact_call_costs", "bridge_call_agents", "bridge_call_queues"):
            rows = [
                [
                    {name: row[name] for name in row if name != "call_key"}
                    for row in warehouse.query(
                        f"from {table} where call_key = ? order by all",
                        f"{vendor}:main:{one}",
                    )
                ]
                for one in (before, after)
            ]
            assert rows[0] == rows[1], table


FREELY: dict[str, tuple[str, ...]] = {
    "evovoice": ("log", "consoleData", "members.applicationData"),
    "twin": (
        *("additional", "allResults", "resultsString", "markers", "externalId"),
        *("variablesString", "dialogResult"),
    ),
    "voximplant": ("custom_data", "calls.custom_data", "records.record_name"),
    "whippy": ("metadata", "analysis", "attachments"),
    "zoom": ("consumers",),
}
"""What anybody may have written into: texts, variables, objects of any shape."""
SOMEBODY = "Tester of nowhere"
WRITTEN = (
    SOMEBODY,
    [SOMEBODY],
    {"name": SOMEBODY},
    {"any": [[{"deep": SOMEBODY}]]},
    [{"content_type": "audio/wav", "name": {"first": SOMEBODY}}],
)


@pytest.mark.parametrize(
    ("vendor", "path"), [(one, path) for one in VENDORS for path in FREELY[one]]
)
def test_nothing_is_left_of_what_is_written_freely(vendor: str, path: str) -> None:
    (stream,) = [one for one in streams_of(vendor) if one.name == WIRES[vendor].stream]
    if path == "consumers":
        (stream,) = [one for one in streams_of(vendor) if one.name == "engagements"]
    outer, _, inner = path.partition(".")
    for shape in WRITTEN:
        record = {"kept": 1, outer: [{inner: shape}] if inner else shape}
        clean = blanked(json.dumps(record), stream.personal)
        assert SOMEBODY not in clean
        assert json.loads(clean)["kept"] == 1


def test_a_value_that_is_the_businesss_own_stays_where_it_is() -> None:
    personal = ("a but for client:.+|[0-9]{2,6}", "b unless c=1 but for [0-9]{2,6}")
    for payload, expected in (
        ('{"a":"client:X","b":"101"}', '{"a":"client:X","b":"101"}'),
        ('{"a":"1234567","b":12}', '{"a":null,"b":12}'),
        ('{"a":"101 ","b":"x","c":2}', '{"a":null,"b":null,"c":2}'),
        ('{"a":"CLIENT:y","b":"x","c":1}', '{"a":"CLIENT:y","b":"x","c":1}'),
    ):
        assert blanked(payload, personal) == expected


def test_every_key_of_an_object_is_blanked_except_those_that_are_named() -> None:
    payload = '{"a":{"n":1,"k":"x","o":{"n":2}},"b":[{"n":3,"m":[]},"y",null]}'
    personal = ("a.* except n", "b.* except n|k")
    assert blanked(payload, personal) == (
        '{"a":{"n":1,"k":null,"o":null},"b":[{"n":3,"m":null},null,null]}'
    )
    assert blanked('{"a":null,"b":[]}', personal) == '{"a":null,"b":[]}'


def test_what_is_not_blanked_keeps_its_bytes() -> None:
    payload = '{"a": 1.10, "b" :"x", "c": [ {"d":1e3, "e": "12"}], "f": "12"}'
    assert blanked(payload, ("b", "c.d unless e=12", "z")) == (
        '{"a":1.10,"b":null,"c":[ {"d":1e3, "e": "12"}],"f":"12"}'
    )
    found = blanked(payload, (), lambda text: text == "12", {"f"})
    assert found == '{"a":1.10,"b":"x","c":[{"d":1e3,"e":null}],"f":"12"}'
    assert blanked(payload, ("z",), lambda text: text == "13") is payload
    again = blanked(found, (), lambda text: text == "12", {"f"})
    assert again == found


def test_every_text_of_a_record_is_looked_at_however_it_is_written() -> None:
    assert "12" in texts_of('{"12": 1}')
    assert "1202555" in texts_of('{"a": [[1202555.0]]}')
    assert "1202555" in texts_of('{"a": 1202555}')
    assert any("1202555" in one for one in texts_of(r'{"a": "\u0031202555"'))
    deep = '{"a":' * 200 + '"12"' + "}" * 200
    blank = blanked(deep, (), lambda text: "12" in text)
    assert '"12"' not in blank
    assert msgspec.json.decode(blank)
