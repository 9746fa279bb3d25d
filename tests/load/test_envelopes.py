"""Answers whose envelope is another one, or whose records are none."""

import json
from collections import Counter
from pathlib import Path

import pytest
from contract import BASES, NOW, WIRES, Json, Row, Warehouse, example, page, settings
from vendor_server import by_path, vendor_server

from pipelines.extract.resources import dlt_source
from pipelines.extract.window_reader import ReadOptions
from pipelines.planning.windows import day_windows
from pipelines.sources import connect

DEEP = b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
ENVELOPES: dict[str, Json] = {
    "zoom": ["next_page_token", "total_records", "voice_calls"],
    "voximplant": ["result", "total_count", "timezone"],
    "evovoice": ["items", "totalCount", "hasMorePages"],
    "twin": ["items", "count"],
    "whippy": ["data"],
}
"""The keys of each envelope that its source depends on."""
SHAPES: dict[str, Json] = {
    "null": None,
    "word": "nobody-knows-this",
    "number": -7,
    "object": {"a": 1},
    "list": [[{"a": 1}]],
}


def envelopes(vendor: str) -> list[tuple[str, str, Json]]:
    """Return key, change and envelope, for every key and every change."""
    records = [json.dumps(example(vendor, base)).encode() for base in BASES]
    whole: Json = json.loads(page(vendor, records))
    made = []
    for key in whole:
        rest = {name: value for name, value in whole.items() if name != key}
        made.append((key, "removed", rest))
        for change, shape in SHAPES.items():
            made.append((key, change, {**whole, key: shape}))
    return made


def read(vendor: str, body: bytes) -> tuple[Row, int]:
    """Read one window; return the line of the ledger and the number of records."""
    wire = WIRES[vendor]
    answers = {path: json.dumps(said).encode() for path, said in wire.others.items()}
    with vendor_server() as server:
        server.always = by_path({**answers, wire.path: body})
        options = ReadOptions(lambda: NOW, keep_going=True)
        windows = day_windows(wire.stream, wire.day, "2026-03-03")[:1]
        given = settings(vendor, server.url, {})
        source = connect(vendor, given, options)
        resources = dlt_source("main", windows, source, options).resources
        tables: dict[str, list[Row]] = {}
        for name in ("load_windows", wire.table):
            rows = list(resources[name])
            tables[name] = [row for table in rows for row in table.to_pylist()]
    return tables["load_windows"][0], len(tables[wire.table])


@pytest.mark.parametrize("vendor", WIRES)
def test_an_envelope_that_changed_fails_its_window_or_loses_nothing(
    vendor: str,
) -> None:
    wrong = []
    for key, change, envelope in envelopes(vendor):
        ledger, records = read(vendor, json.dumps(envelope).encode())
        lost = records + ledger["rows_quarantined"] < len(BASES)
        said = (ledger["state"], records, ledger["error"])
        if key in ENVELOPES[vendor] and change == "removed" and "failed" not in said:
            wrong.append((key, change, said))
        if lost and (ledger["state"] == "complete" or not ledger["error"]):
            wrong.append((key, change, said))
    assert wrong == []


@pytest.mark.parametrize("vendor", WIRES)
def test_records_that_are_no_objects_are_put_aside(vendor: str) -> None:
    whole = json.dumps(example(vendor, "full")).encode()
    strange = [b"null", b"7", b'"word"', b"[1]", b"{}", b'{"a":"\xff"}']
    ledger, records = read(vendor, page(vendor, [*strange, whole]))
    assert (ledger["state"], records) == ("complete", 1)
    assert ledger["rows_quarantined"] == len(strange)


@pytest.mark.parametrize("vendor", WIRES)
def test_an_answer_too_deep_to_read_fails_its_window_in_a_sentence(vendor: str) -> None:
    whole = json.dumps({**example(vendor, "full"), "deep": "@"}).encode()
    deep = whole.replace(b'"@"', DEEP)
    ledger, records = read(vendor, page(vendor, [deep]))
    assert (ledger["state"], records) == ("failed", 0)
    assert "too deeply" in ledger["error"]


def test_a_session_of_another_account_stops_the_window() -> None:
    session = {**example("evovoice", "full"), "accountId": "somebody-else"}
    ledger, records = read("evovoice", page("evovoice", [json.dumps(session).encode()]))
    assert (ledger["state"], records) == ("failed", 0)
    assert "check account_ids" in ledger["error"]


def test_a_call_of_another_day_stops_the_window() -> None:
    call = {**example("twin", "full"), "createdAt": "2026-02-01T00:00:00Z"}
    ledger, records = read("twin", page("twin", [json.dumps(call).encode()]))
    assert (ledger["state"], records) == ("failed", 0)
    assert "date-field parameter" in ledger["error"]


@pytest.mark.soak
def test_a_window_that_fails_takes_nothing_away(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    for vendor in WIRES:
        records = [json.dumps(example(vendor, base)).encode() for base in BASES]
        warehouse.send(vendor, records)
    warehouse.build()
    before = warehouse.query("from fact_calls order by all")
    for vendor in WIRES:
        failed = warehouse.answer(vendor, b'{"strange": []}')
        assert (vendor, failed["state"]) == (vendor, "failed")
    warehouse.build()
    assert warehouse.query("from fact_calls order by all") == before
    assert Counter(one["vendor"] for one in before) == dict.fromkeys(WIRES, len(BASES))
