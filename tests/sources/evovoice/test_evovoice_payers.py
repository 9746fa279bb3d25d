"""Who pays for an EvoVoice call, what its parts took, and what its carrier counted."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import House, exact, open_house
from reading import house as warehouse
from reading import listing, scripted_environment
from vendor_server import Answer, VendorServer

from pipelines.load.personal import blanked
from pipelines.planning.windows import DAY, read_time
from pipelines.sources import evovoice

SEEDS = Path(__file__).parents[3] / "transforms/seeds"
NOW = read_time("2026-11-17T03:00:00Z")
NOT_FOUND = b'{"responseStatus": {"errorCode": "NotFound", "message": "x"}}'
SOAK = pytest.mark.soak
PARTS = ("ring_seconds", "queue_seconds", "talk_seconds", "hold_seconds")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("payers")
    with open_house(folder, NOW, days=2, volume=20) as house:
        done = house.night(NOW, "--vendor", "evovoice")
        assert done.returncode == 0, done.stderr
        yield house


def test_payers_and_parts_are_those_that_the_vendor_knows(loaded: House) -> None:
    calls = loaded.truth("evovoice", NOW - 40 * DAY, NOW - timedelta(minutes=5))
    known = {f"evovoice:{one['account']}:{one['vendor_call_id']}": one for one in calls}
    payers = defaultdict(list)
    for key, *payer in loaded.query(
        "select call_key, payer_kind, payer_id, payer_name"
        " from bridge_call_payers order by call_key, level"
    ):
        payers[key].append(dict(zip(("kind", "id", "name"), payer, strict=True)))
    facts = loaded.query(
        f"select call_key, answered_at is not null, {', '.join(PARTS)}"
        " from fact_calls order by 1"
    )
    assert payers == {key: known[key]["payers"] for key, *_ in facts}
    assert {len(levels) for levels in payers.values()} == {2, 3, 4}
    parts = {key: found for key, _, *found in facts}
    assert parts == {
        key: [exact(known[key]["durations"].get(part)) for part in PARTS]
        for key, *_ in facts
    }
    for place in range(len(PARTS)):
        column = {found[place] for found in parts.values()}
        assert None in column
        assert len(column) > len(PARTS)
    assert all(answered for _, answered, *found in facts if found[2])


def test_the_carrier_counts_what_we_have(loaded: House) -> None:
    rows = loaded.query(
        "select category, usage_count - calls, minutes_difference from vendor_usage"
        " where calls is not null and month = '2026-11-01'"
    )
    found = {category for category, *_ in rows}
    assert found == {"calls", "calls-inbound", "calls-outbound"}
    assert {tuple(differences) for _, *differences in rows} == {(0, 0)}
    nested = loaded.query(
        "select distinct category, parent_category, level from vendor_usage order by 1"
    )
    assert nested == [
        ("calls", None, 1),
        ("calls-client", "calls", 2),
        ("calls-inbound", "calls", 2),
        ("calls-inbound-local", "calls-inbound", 3),
        ("calls-outbound", "calls", 2),
    ]


def test_whose_prices_rated_a_call_is_in_the_month(loaded: House) -> None:
    owners = loaded.query(
        "select price_owner_kind, count(distinct price_owner),"
        " sum(usage_cost) from monthly_account_usage where calls > 0 group by 1"
        " order by 1"
    )
    assert [(kind, count) for kind, count, _ in owners] == [
        ("account", 1),
        ("customer", 2),
    ]
    total = loaded.query("select sum(cost_total) from fact_calls")
    assert [(sum(cost for *_, cost in owners),)] == total
    carrier = "select distinct reason from ops.unrated_calls order by 1"
    assert loaded.query(carrier) == [("no_price",), ("own_carrier",)]


@pytest.mark.parametrize(
    "refused",
    [
        Answer(b'{"responseStatus": {"errorCode": "Forbidden", "message": "x"}}', 403),
        pytest.param(Answer(b"", 403), marks=SOAK),
        pytest.param(Answer(NOT_FOUND, 404), marks=SOAK),
        pytest.param(Answer(b"", 404), marks=SOAK),
    ],
)
def test_lists_that_a_login_lacks_are_told_and_nothing_else_is_missing(
    scripted: VendorServer, tmp_path: Path, refused: Answer
) -> None:
    day = "2026-03-01T10:00:00Z"
    session = {"id": "e1", "dateCreated": day, "accountId": "a-1", "channel": "Voice"}

    def answer(path: str, _: bytes) -> Answer:
        if path.startswith(("/customers", "/billing/usage")):
            return refused
        if path.startswith("/accounts/"):
            return Answer(b'{"id": "a-1"}')
        is_live = "SearchArchive=false" in path
        is_asked = "StartDate=2026-03-01" in path
        return listing("evovoice", [session] if is_live and is_asked else [])

    scripted.always = answer
    house = warehouse(tmp_path, scripted_environment(scripted.url))
    result = house.night("evovoice", read_time("2026-03-02T03:00:00Z"))
    assert result.is_complete, result.problems
    notes = sorted(note.split(" is left out")[0].split()[-1] for note in result.notes)
    assert notes == ["billing_usage", "customers"]
    assert house.query("select payer_kind, payer_id from fact_calls") == [
        ("account", "a-1")
    ]


def test_the_lines_that_are_kept_are_those_that_the_models_read() -> None:
    with (SEEDS / "log_lines.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["vendor"] == "evovoice"]
    assert tuple(row["line"] for row in rows) == evovoice.LOG_LINES


@pytest.mark.parametrize(
    ("message", "left"),
    [
        ('"Answered by J. Doe +12025550101"', '"answered by"'),
        ('" HUNG UP "', '"hung up"'),
        ('"hung up by"', '"hung up by"'),
        ('"Answered bystander"', "null"),
        ('"Answered"', '"answered"'),
        ('"J. Doe answered"', "null"),
        ('""', "null"),
        ("null", "null"),
        ("7", "null"),
        ('{"a": 1}', "null"),
    ],
)
def test_of_a_line_of_the_log_its_words_stay_and_no_name(
    message: str, left: str
) -> None:
    record = f'{{"log":[{{"date":"2026-03-01T10:00:00Z","message":{message}}}]}}'
    expected = f'{{"log":[{{"date":"2026-03-01T10:00:00Z","message":{left}}}]}}'
    clean = blanked(record, evovoice.SESSIONS.personal)
    assert clean == expected
    assert blanked(clean, evovoice.SESSIONS.personal) == clean
