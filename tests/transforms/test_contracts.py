"""Every vendor's examples, changed one key at a time, all the way to the facts.

Each is the second version of a record whose first one was another example.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from contract import BASES, ENGAGEMENTS, WIRES, Json, Row, Warehouse, example

LINEAGE = {"call_key", "vendor_call_id", "first_loaded_at", "last_loaded_at", "load_id"}
LINEAGE |= {"parent_call_key"}  # all cases of an example have the ids of one call
LINES = {
    "costs": "fact_call_costs",
    "legs": "fact_call_legs",
    "payers": "bridge_call_payers",
    "attributes": "fact_call_attributes",
}
"""Tables of lines of a call."""
GIVEN: Mapping[str, Json] = {
    "null": None,
    "empty": "",
    "word": "nobody-knows-this",
    "number": 7,
    "negative": -7,
    "true": True,
    "object": {"a": 1},
    "list": [1],
}
ABSENT = {"removed", "null", "empty"}
FITTING: Mapping[str, set[str]] = {
    "free": {*ABSENT, *GIVEN},
    "text": {*ABSENT, "word", "number", "negative", "true"},
    "owner": {*ABSENT, "number", "negative", "true"},
    "needed text": {"word", "number", "negative", "true"},
    "word": ABSENT,
    "needed word": set(),
    "time": ABSENT,
    "needed time": set(),
    "flag": {*ABSENT, "true"},
    "flag or count": {*ABSENT, "true", "number"},
    "money": {*ABSENT, "number", "negative"},
    "charge": {*ABSENT, "number", "negative"},
    "code": {*ABSENT},
    "seconds": {*ABSENT, "number"},
    "list": {"removed", "null"},
    "texts": {*ABSENT, "word", "number", "negative", "true", "list"},
    "charges": {"removed", "null", "list"},
    "part": {"removed"},
    "object": {"removed", "null", "object"},
}
"""By kind of field: what may stand there without being listed as unknown."""
REFUSED: Mapping[str, set[str]] = {
    "id": {*ABSENT, "true", "object", "list"},
    "event": {*ABSENT, *GIVEN},
}
"""By kind of field: what cannot be a call."""
LEFT_OUT = {("owner", "word")}
EARLIER: Mapping[str, Mapping[str, Json]] = {
    "evovoice": {"dateLastModified": "2026-03-01T00:00:00Z"},
    "twin": {"updatedAt": "2026-03-01T00:00:00Z", "billedAt": None},
}
"""By vendor: what makes a version the earlier one, where not the load says it."""


@dataclass(frozen=True)
class Case:
    """One example with one change."""

    vendor: str
    base: str
    path: str
    change: str
    record: Json

    def __str__(self) -> str:
        return f"{self.vendor} {self.base}: {self.path or 'the record'} {self.change}"

    @property
    def body(self) -> bytes:
        return json.dumps(self.record).encode()

    @property
    def call_id(self) -> str:
        return str(self.record.get(WIRES[self.vendor].identity))


@dataclass
class Found:
    """What became of one record."""

    fact: Row
    costs: list[Row] = field(default_factory=list)
    legs: list[Row] = field(default_factory=list)
    payers: list[Row] = field(default_factory=list)
    attributes: list[Row] = field(default_factory=list)
    words: set[str] = field(default_factory=set)

    def differing(self, other: "Found") -> set[str]:
        """Name the columns of the fact, and the tables of its lines, that differ."""
        columns = self.fact.keys() - LINEAGE
        found = {name for name in columns if self.fact[name] != other.fact[name]}
        return found | {
            name for name in LINES if getattr(self, name) != getattr(other, name)
        }

    @property
    def zeros(self) -> int:
        amounts = [row["amount"] for row in self.costs]
        for name in ("cost", "total_seconds"):
            amounts += [row[name] for row in self.legs]
        return sum(amount == 0 for amount in amounts)


@dataclass
class Built:
    """What became of them all."""

    sent: list[Case]
    found: dict[str, Found]
    refused: Counter[str]
    """Payloads in the quarantine."""


def places(value: Json, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield every key and every first element: its path, its container, its key."""
    if isinstance(value, dict):
        for key in value:
            yield f"{path}.{key}".lstrip("."), value, key
            yield from places(value[key], f"{path}.{key}".lstrip("."))
    elif isinstance(value, list) and value:
        yield f"{path}[]", value, 0
        yield from places(value[0], f"{path}[]")


def changes(value: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield path, change and changed copy, for every place and every change."""
    for number, (path, container, key) in enumerate(places(value)):
        kept = container[key]
        given = dict(GIVEN)
        if isinstance(kept, int | float):
            given["quoted"] = json.dumps(kept)
        for change, other in given.items():
            container[key] = other
            yield path, change, deepcopy(value)
        container[key] = kept
        copy = deepcopy(value)
        _, inside, place = list(places(copy))[number]
        del inside[place]
        yield path, "removed", copy
        if isinstance(kept, dict):
            container[key] = {**kept, "brand_new": {"a": [1]}}
            yield path, "new key", deepcopy(value)
            container[key] = kept


def cases(vendor: str) -> list[Case]:
    identity, fields = WIRES[vendor].identity, example(vendor, "fields")
    made: list[Case] = []
    for base in BASES:
        record = example(vendor, base)
        made.append(Case(vendor, base, "", "as it is", record))
        made.append(Case(vendor, base, "", "new key", {**record, "brandNew": [{}]}))
        for path, change, changed in changes(record):
            if (fields.get(path, {}).get("kind"), change) not in LEFT_OUT:
                made.append(Case(vendor, base, path, change, changed))
    for number, case in enumerate(made):
        given = case.record.get(identity)
        if case.path == identity and isinstance(given, str) and given:
            case.record[identity] = f"{given} {number}"
        elif isinstance(given, int) and not isinstance(given, bool):
            case.record[identity] = (-1 if given < 0 else 1) * (10_000 + number)
        elif case.path != identity:
            case.record[identity] = f"call-{number}"
    return made


def older(case: Case) -> bytes:
    """Return an older version of a record, of which nothing may be left."""
    base = "seed" if case.base == "full" else "full"
    identity = WIRES[case.vendor].identity
    record = {**example(case.vendor, base), **EARLIER.get(case.vendor, {})}
    return json.dumps({**record, identity: case.record[identity]}).encode()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    warehouse = Warehouse(tmp_path_factory.mktemp("contracts"))
    sent = {vendor: cases(vendor) for vendor in WIRES}
    for vendor, made in sent.items():
        warehouse.send(vendor, [older(case) for case in made if not is_refused(case)])
        ledger = warehouse.send(vendor, [case.body for case in made])
        assert (ledger["state"], ledger["error"]) == ("complete", None)
    warehouse.build()
    return {vendor: collected(warehouse, vendor, sent[vendor]) for vendor in WIRES}


def collected(warehouse: Warehouse, vendor: str, sent: list[Case]) -> Built:
    mine = f"where call_key like '{vendor}:%' order by all"
    found = {
        row["vendor_call_id"]: Found(row)
        for row in warehouse.query(f"from fact_calls {mine}")
    }
    for name, table in LINES.items():
        for row in warehouse.query(f"from {table} {mine}"):
            call_id = row.pop("call_key").split(":", 2)[2]
            getattr(found[call_id], name).append(row)
    for row in warehouse.query(f"from ops.unmapped_values_by_call {mine}"):
        found[row["call_key"].split(":", 2)[2]].words.add(row["field"])
    refused = warehouse.query(
        f"select payload from ops.quarantine where vendor = '{vendor}'"
    )
    return Built(sent, found, Counter(row["payload"] for row in refused))


def is_refused(case: Case) -> bool:
    kind = example(case.vendor, "fields").get(case.path, {}).get("kind")
    return case.change in REFUSED.get(kind, ())


def wrongs(case: Case, was: Found, now: Found, declared: Row) -> Iterator[str]:
    """Yield what a change did that it must not do."""
    kind = declared.get("kind", "")
    misfits = kind in FITTING and case.change not in FITTING[kind]
    lost = declared.get("lost") or {}
    differing = was.differing(now)
    if unexpected := differing - lost.keys() - set(declared.get("feeds", ())):
        yield f"changed {sorted(unexpected)}"
    if misfits or (case.change in ABSENT and kind != "part"):
        yield from zeros(was, now, differing - set(declared.get("sums", ())))
    listed = declared.get("listed", case.path.replace("[]", ""))
    told = any(word.startswith(listed) for word in now.words)
    expected = (listed, *declared.get("may_list", ()))
    others = {word for word in now.words - was.words if not word.startswith(expected)}
    if others or (told != misfits and (kind, case.change) != ("part", "object")):
        yield f"lists {sorted(now.words)}"
    if case.change in ABSENT or (misfits and not kept_as_text(kind, case.change)):
        for column, value in lost.items():
            if now.fact[column] != value:
                yield f"{column} is {now.fact[column]}, not {value}"


def zeros(was: Found, now: Found, columns: set[str]) -> Iterator[str]:
    """Yield what became 0 when nothing was said of it, or nothing that can be read."""
    for column in columns & now.fact.keys():
        if now.fact[column] == 0 and now.fact[column] is not False:
            yield f"{column} became 0"
    if now.zeros > was.zeros:
        yield "a line or a leg became 0"


def kept_as_text(kind: str, change: str) -> bool:
    """Return True if a column may hold what it should not: as JSON, and listed."""
    return kind in {"text", "needed text", "owner"} or (kind, change) == (
        "list",
        "list",
    )


@pytest.mark.parametrize("vendor", WIRES)
def test_every_record_is_a_call_or_in_the_quarantine(
    built: dict[str, Built], vendor: str
) -> None:
    one = built[vendor]
    refused = Counter(case.body.decode() for case in one.sent if is_refused(case))
    assert one.refused == refused
    calls = Counter(case.call_id for case in one.sent if not is_refused(case))
    assert Counter(one.found.keys()) == calls


@pytest.mark.parametrize("vendor", WIRES)
def test_an_example_becomes_what_its_vendor_documents(
    built: dict[str, Built], vendor: str
) -> None:
    one, expected = built[vendor], example(vendor, "facts")
    for case in one.sent:
        if case.change == "as it is":
            found = one.found[case.call_id]
            fact = {
                column: str(value)
                for column, value in found.fact.items()
                if value is not None and column not in LINEAGE | {"vendor", "account"}
            }
            assert fact == expected[case.base]


@pytest.mark.parametrize("vendor", WIRES)
def test_a_change_of_one_key_changes_what_it_feeds_and_no_more(
    built: dict[str, Built], vendor: str
) -> None:
    one, fields = built[vendor], example(vendor, "fields")
    examples = {
        case.base: one.found[case.call_id]
        for case in one.sent
        if case.change == "as it is"
    }
    wrong = [
        f"{case} {what}"
        for case in one.sent
        if case.call_id in one.found and fields.get(case.path, {}).get("kind") != "id"
        for what in wrongs(
            case,
            examples[case.base],
            one.found[case.call_id],
            {} if case.change in {"new key", "quoted"} else fields.get(case.path, {}),
        )
    ]
    assert wrong == []


def test_a_change_of_a_second_record_of_zoom_changes_what_it_feeds_and_no_more(
    tmp_path: Path,
) -> None:
    record, fields = example("zoom", "engagement"), example("zoom", "engagement_fields")
    made = [Case("zoom", "engagement", "", "as it is", record)]
    made += [
        Case("zoom", "engagement", *change)
        for change in changes(record)
        if change[0] != "engagement_id"
    ]
    for number, case in enumerate(made):
        case.record["engagement_id"] = f"call-{number}"
    calls = [
        {**example("zoom", "open"), "engagement_id": case.call_id} for case in made
    ]
    warehouse = Warehouse(tmp_path)
    warehouse.send("zoom", [json.dumps(call).encode() for call in calls])
    kinds = {path: declared["kind"] for path, declared in fields.items()}
    refused = [
        case for case in made if case.change in REFUSED.get(kinds.get(case.path), ())
    ]
    parts = ("flow", "waiting", "handling", "talk", "wrap_up")
    earlier = [
        {**record, "engagement_id": case.call_id}
        | {f"{part}_duration": 999 for part in parts}
        for case in made
        if case not in refused
    ]
    bodies = [json.dumps(one).encode() for one in earlier]
    warehouse.send("zoom", bodies, wire=ENGAGEMENTS)
    ledger = warehouse.send("zoom", [case.body for case in made], wire=ENGAGEMENTS)
    assert (ledger["state"], ledger["error"]) == ("complete", None)
    warehouse.build()
    one = collected(warehouse, "zoom", made)
    was = one.found[made[0].call_id]
    columns = tuple(
        f"{part}_seconds" for part in ("ivr", "queue", "talk", "hold", "wrap")
    )
    assert [was.fact[name] for name in columns] == [21, 64, 344, 6, 30]
    assert one.refused == Counter(case.body.decode() for case in refused)
    for case in refused:
        assert [one.found[case.call_id].fact[name] for name in columns] == [None] * 5
    wrong = [
        f"{case} {what}"
        for case in made
        if case not in refused
        for what in wrongs(
            case,
            was,
            one.found[case.call_id],
            {} if case.change in {"new key", "quoted"} else fields.get(case.path, {}),
        )
    ]
    assert wrong == []
