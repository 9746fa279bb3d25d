"""Phone numbers in the published file: plain, masked or hashed, and never elsewhere."""

import hashlib
import hmac
import json
import stat
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import VENDORS
from contract import BASES, FOLDER, Json, example
from raw_files import NOW, RawFiles, whippy_call

from pipelines.commands.restore import restore
from pipelines.commands.rollback import roll_back
from pipelines.config.privacy import Privacy, mac_key
from pipelines.planning.windows import DAY
from pipelines.warehouse.number_protection import MODES
from pipelines.warehouse.paths import Warehouse
from transforms.runner.statements import quoted

KEY = "a key for tests, of no one"
PROTECTED = ("masked", "hashed")
AT = NOW - 3 * DAY
PERSONAL = {"text", "needed text", "free"}
"""Kinds of fields, of tests/contracts, in which a vendor may write a number."""
OTHERS = {
    *("call_id", "record_id", "transaction_id", "resource_usage_id", "unit", "emotion"),
    *("queue_id", "cc_queue_id", "queue_name", "ringQueueId", "recordPath", "nps"),
    *("language", "call_completion_rating", "content_type"),
}
"""Of them, what is about the business, a charge or an answer, and never a person."""
OF_BUSINESS = ("main", "fact_calls", "business_number")
"""The business's own number stays plain: which line rang is no secret of a person."""
QUARANTINE = (
    "account varchar, stream varchar, window_from timestamptz, window_to timestamptz,"
    " record_no bigint, reason varchar, payload varchar, fetched_at timestamptz,"
    " _dlt_load_id varchar, load_no bigint"
)


def canaries() -> Iterator[str]:
    """Yield numbers of nobody, each another one."""
    for number in range(10_000):
        yield f"+1202555{number:04}"


def leaves(record: Json, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Yield each field of a record that is a text or a number, and its keys."""
    steps = record.items() if isinstance(record, dict) else enumerate(record)
    for key, value in steps:
        name = f"{path}[]" if isinstance(key, int) else f"{path}.{key}".lstrip(".")
        if isinstance(value, dict | list):
            yield from ((one, [key, *keys]) for one, keys in leaves(value, name))
        else:
            yield name, [key]


def put(record: Json, keys: list[Any], value: str) -> Json:
    changed = deepcopy(record)
    place = changed
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return changed


def with_canaries(vendor: str, base: str, number: Iterator[str]) -> dict[str, Json]:
    """Return a record for each field of an example that a person's number may be in."""
    fields = json.loads((FOLDER / vendor / "fields.json").read_text())
    record = example(vendor, base)
    (identity,) = [name for name, one in fields.items() if one["kind"] == "id"]
    found = {}
    for path, keys in leaves(record):
        kind = fields.get(path, {}).get("kind")
        if kind in PERSONAL and str(keys[-1]) not in OTHERS:
            call = f"{base}-{len(found)}"
            found[call] = put(put(record, [identity], call), keys, next(number))
    return found


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> RawFiles:
    """Give raw files of all vendors, with a number in every field that may have one."""
    accounts = dict.fromkeys(VENDORS, ("main",))
    raw = RawFiles(tmp_path_factory.mktemp("numbers"), accounts=accounts)
    number = canaries()
    for vendor in VENDORS:
        for base in BASES:
            before = with_canaries(vendor, base, number)
            if vendor == "twin":
                before[f"{base}-sip"] = put(example(vendor, base), ["callId"], "sip")
                before[f"{base}-sip"]["callingNumber"] = "sip:12025550177@example.com"
            rows = [("main", name, AT, one) for name, one in before.items()]
            if rows:
                raw.load(vendor, rows)
        # The same calls again, with other numbers: what changed is published, too.
        later = with_canaries(vendor, "full", number)
        raw.load(vendor, [("main", name, AT, one) for name, one in later.items()])
    payload = '{"from": "' + next(number) + '", "id": null}'
    row = ("main", "calls", AT, AT + DAY, 0, "it has no id", payload, AT)
    raw.write("whippy", "quarantine", QUARANTINE, [row])
    raw.build()
    return raw


def showing(raw: RawFiles, mode: str, tmp_path: Path) -> RawFiles:
    """Return the same raw files in another folder, built in a mode."""
    folder = tmp_path / mode
    folder.mkdir()
    (folder / "raw").symlink_to(raw.folder / "raw")
    one = replace(raw, folder=folder, privacy=Privacy(KEY, phone_numbers=mode))
    one.build()
    return one


def found_in(file: Path) -> dict[tuple[str, str, str], int]:
    """Return the columns that have a canary in them, and in how many rows."""
    found = {}
    with duckdb.connect(str(file), read_only=True) as connection:
        columns = connection.execute(
            "select schema_name, table_name, column_name from duckdb_columns()"
            " where database_name = current_database() and not internal"
            " and contains(upper(data_type), 'VARCHAR')"
        ).fetchall()
        for schema, table, column in columns:
            ((count,),) = connection.execute(
                f'select count(*) from "{schema}"."{table}" where '
                f"regexp_matches(\"{column}\"::varchar, '202.?555.?[0-9]{{4}}')"
            ).fetchall()
            if count:
                found[schema, table, column] = count
    return found


def test_no_column_shows_a_number_in_another_way_than_configured(
    raw: RawFiles, tmp_path: Path
) -> None:
    shown = found_in(raw.folder / "calls.duckdb")
    published = {table for _, table, _ in shown}
    assert {"fact_calls", "fact_call_legs", "dim_agents", "quarantine"} <= published
    assert {"call_changes", "bridge_call_agents"} <= published
    for mode in PROTECTED:
        one = showing(raw, mode, tmp_path)
        assert found_in(one.folder / "calls.duckdb").keys() <= {OF_BUSINESS}, mode
        assert found_in(one.folder / "build.duckdb").keys() == shown.keys()


def test_no_byte_of_a_published_file_has_a_persons_number(
    raw: RawFiles, tmp_path: Path
) -> None:
    persons = {
        digits.encode()
        for (digits,) in raw.query(
            "select distinct customer_number[2:] from fact_calls where customer_number"
            " not in (select business_number from fact_calls"
            " where business_number is not null)"
        )
    }
    assert len(persons) > 20
    plain = (raw.folder / "calls.duckdb").read_bytes()
    assert sum(number in plain for number in persons) > 10
    for mode in PROTECTED:
        text = (showing(raw, mode, tmp_path).folder / "calls.duckdb").read_bytes()
        assert [number for number in persons if number in text] == []


@pytest.mark.soak
def test_everything_else_is_as_in_the_plain_file(raw: RawFiles, tmp_path: Path) -> None:
    protected = "customer_number, agent_name, payer_id, payer_name"
    kept = f"select * exclude ({protected}) from fact_calls order by all"
    comments = "select comment from duckdb_columns() where not internal order by all"
    views = "select view_name, comment from duckdb_views() where not internal"
    for mode in PROTECTED:
        one = showing(raw, mode, tmp_path)
        for sql in (kept, "from daily_calls order by all", comments, views):
            assert one.query(sql) == raw.query(sql)
        assert one.query("select phone_numbers from ops.build_info") == [(mode,)]
        assert one.query(
            "select count(*) from bridge_call_agents anti join dim_agents"
            " using (agent_key)"
        ) == [(0,)]
        assert one.query("select count(*) from dim_agents") == raw.query(
            "select count(distinct agent_key) from dim_agents"
        )


def protected(
    mode: str, text: str | None, macro: str = "protected_number"
) -> str | None:
    """Return what the published file has in place of a text."""
    from pipelines.warehouse import number_protection as protecting  # noqa: PLC0415

    key = mac_key(Privacy(KEY)) or b""
    one = protecting.NumberProtection(mode, key)
    with duckdb.connect() as connection:
        protecting._make_macros(connection, one)  # noqa: SLF001
        written = "null::varchar" if text is None else quoted(text)
        ((found,),) = connection.execute(f"select {macro}({written})").fetchall()
    if found is not None and found != text:
        assert protected(mode, found, macro) == found, "twice is once"
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("written", "masked"),
    [
        ("+442079460123", "+44********23"),
        ("+12025550123", "+1********23"),
        ("442079460123", "+44********23"),
        ("0044 20 7946 0123", "+44********23"),
        ("tel:+1 (202) 555-0123", "+1********23"),
        ("020 7946 0123", "***"),  # of which country?
        ("sip:442079460123@example.com", "***"),
        ("anonymous", "***"),
        ("101", "***"),
        ("", "***"),
        (None, None),
    ],
)
def test_a_mask_leaves_the_country_code_and_two_digits(
    written: str | None, masked: str | None
) -> None:
    assert protected("masked", written) == masked


def test_a_hash_is_an_hmac_of_the_number_however_it_is_written() -> None:
    key = mac_key(Privacy(KEY)) or b""
    expected = hmac.new(key, b"+442079460123", hashlib.sha256).hexdigest()
    for written in ("+442079460123", "442079460123", "+44 20 7946 0123"):
        assert protected("hashed", written) == expected
    assert expected != hashlib.sha256(b"+442079460123").hexdigest()
    sip = hmac.new(key, b"sip:bob@example.com", hashlib.sha256).hexdigest()
    assert protected("hashed", "sip:bob@example.com") == sip
    other = mac_key(Privacy(f"{KEY}, another")) or b""
    assert hmac.new(other, b"+442079460123", hashlib.sha256).hexdigest() != expected


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [
        ("Alice Example", True),
        ("0.010500", True),
        ("-12.5", True),
        ("185", True),
        ("2026-03-02T09:14:58+00:00", True),
        ("2026-03-02 09:14:58", True),
        ("5f770fc2-5d29-44fe-a545-a619ac5cec74", True),
        ("+12025550123", False),
        ("call 202-555-0123 back", False),
        ("1.2025550123E10", False),
        ("12025550123.0", False),
        ("bob@example.com", False),
        ("sip:bob", False),
    ],
)
def test_a_text_stays_unless_there_may_be_a_number_in_it(
    text: str, *, is_kept: bool
) -> None:
    for mode in PROTECTED:
        found = protected(mode, text, "protected_text")
        assert (found == text) == is_kept
        assert is_kept or "2025550" not in (found or "")


@pytest.mark.soak
def test_the_same_number_is_the_same_text_across_tables_and_vendors(
    tmp_path: Path,
) -> None:
    raw = RawFiles(
        tmp_path,
        accounts={"twin": ("main",), "whippy": ("main",)},
        privacy=Privacy(KEY, phone_numbers="hashed"),
    )
    account, name, at, call = whippy_call("a", AT)
    call = {**(call or {}), "from": "+12025550123", "to": "+12025550100"}
    raw.load("whippy", [(account, name, at, call)])
    record = example("twin", "full") | {"callingNumber": "12025550123"}
    raw.load("twin", [("main", record["callId"], AT, record)])
    raw.build()
    key = mac_key(Privacy(KEY)) or b""
    expected = hmac.new(key, b"+12025550123", hashlib.sha256).hexdigest()
    assert raw.query("select distinct customer_number from fact_calls") == [(expected,)]
    legs = raw.query("select from_party, to_party from fact_call_legs")
    assert expected in {party for leg in legs for party in leg}


def modes_of(raw: RawFiles) -> list[str]:
    """Return what the published file and each snapshot show."""
    warehouse = Warehouse(raw.folder)
    found = []
    for file in (warehouse.published, *sorted(warehouse.snapshots.glob("*.duckdb"))):
        with duckdb.connect(str(file), read_only=True) as connection:
            shown = connection.execute("select phone_numbers from ops.build_info")
            found += shown.fetchall()
    return [mode for (mode,) in found]


@pytest.mark.soak
def test_another_mode_builds_in_full_and_deletes_what_shows_numbers_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = RawFiles(tmp_path)
    account, name, at, call = whippy_call("a", AT)
    number = {"from": "+12025550123", "to": "+12025550100"}
    raw.load("whippy", [(account, name, at, {**(call or {}), **number})])
    for mode in (*MODES, "plain"):
        raw.privacy = Privacy(KEY, phone_numbers=mode)
        raw.now += DAY
        first = raw.build()
        assert first.is_full
        assert modes_of(raw) == [mode]
        folder = Warehouse(tmp_path).published_folder
        assert len([*folder.iterdir()]) == 1
        raw.now += DAY
        assert not raw.build().is_full
        assert modes_of(raw) == [mode, mode]
        if mode in PROTECTED:
            files = [*folder.rglob("*"), *Warehouse(tmp_path).snapshots.iterdir()]
            texts = [one.read_bytes() for one in files if one.is_file()]
            assert len(texts) == 3
            assert not [text for text in texts if b"2025550123" in text]
    assert capsys.readouterr().err.count("are deleted") == 3


@pytest.mark.soak
def test_a_snapshot_or_a_backup_with_plain_numbers_is_published_without(
    raw: RawFiles, tmp_path: Path
) -> None:
    from pipelines.commands.backup import back_up  # noqa: PLC0415

    one = showing(raw, "plain", tmp_path)
    one.now += DAY
    one.build()
    place, _ = back_up(one.config, one.now, tmp_path / "backups")
    masked = replace(one.config, privacy=Privacy(KEY, phone_numbers="masked"))
    roll_back(masked, one.now + DAY, None)
    assert found_in(one.folder / "calls.duckdb").keys() <= {OF_BUSINESS}
    assert modes_of(one) == ["masked"]
    elsewhere = replace(masked, warehouse=Warehouse(tmp_path / "elsewhere"))
    restore(elsewhere, one.now, place, replace=False)
    file = tmp_path / "elsewhere" / "calls.duckdb"
    assert found_in(file).keys() <= {OF_BUSINESS}


@pytest.mark.soak
def test_a_build_file_made_from_the_published_one_hashes_nothing_twice(
    raw: RawFiles, tmp_path: Path
) -> None:
    for mode in PROTECTED:
        one = showing(raw, mode, tmp_path)
        facts = one.query("select call_key, customer_number from fact_calls order by 1")
        agents = one.query("select agent_key from dim_agents order by 1")
        (one.folder / "raw").unlink()
        (one.folder / "build.duckdb").unlink()
        one.build()
        assert one.query("from fact_calls") != []
        assert facts == one.query(
            "select call_key, customer_number from fact_calls order by 1"
        )
        assert agents == one.query("select agent_key from dim_agents order by 1")


def test_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "privacy.key"
    privacy = Privacy(key_file=path)
    assert mac_key(privacy) is None
    assert not path.exists()
    key = mac_key(privacy, make=True)
    assert key == mac_key(privacy, make=True) == mac_key(privacy)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert mac_key(Privacy(KEY, path)) != key
