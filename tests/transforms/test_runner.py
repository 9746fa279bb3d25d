"""The runner on two small vendors: same tables by night or from scratch, or none."""

import datetime as dt
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from textwrap import dedent
from typing import TypeAlias

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.runner.build import BuildResult, build
from transforms.runner.build_state import HistoryError
from transforms.runner.checks import CheckFailed
from transforms.runner.graph import lint, read_graph
from transforms.runner.parsing import ModelError
from transforms.runner.storage import in_memory

FACTS = ("main.fact_calls", "main.fact_call_costs", "main.daily_calls")
MODELS = {
    "staging/unions/calls.sql": """
        -- One row per call of any vendor.
        -- @kind union
        select
            null::varchar as account,
            null::varchar as vendor_call_id,
            null::timestamptz as started_at,
            null::decimal(18, 6) as cost,
            null::integer as units,
            null::varchar as load_id,
        where false
    """,
    "staging/acme__calls.sql": """
        -- One row per call.
        with latest as (
            select * from raw.acme__calls
            qualify row_number() over (
                partition by account, record_id order by fetched_at desc
            ) = 1
        )
        select
            account,
            record_id as vendor_call_id,
            (payload ->> 'at')::timestamptz as started_at,
            (payload ->> 'cost')::decimal(18, 6) as cost,
            _dlt_load_id as load_id,
        from latest
        where payload ->> 'channel' = 'voice';
    """,
    "staging/bolt__accounts.sql": """
        -- One row per account.
        -- @reference
        select account, arg_max(payload, fetched_at)::integer as allowance
        from raw.bolt__accounts
        group by all
    """,
    "staging/bolt__calls.sql": """
        -- One row per call, rated: beyond the allowance of its month each unit is 1.
        -- @rebuild_group date_trunc('month', event_at)
        with latest as (
            select * from raw.bolt__calls
            qualify row_number() over (
                partition by account, record_id order by fetched_at desc
            ) = 1
        ),
        used as (
            select
                *,
                (payload ->> 'units')::integer as units,
                sum((payload ->> 'units')::integer) over (
                    partition by account, date_trunc('month', event_at)
                    order by event_at, record_id
                ) as running
            from latest
        )
        select
            account,
            record_id as vendor_call_id,
            event_at as started_at,
            units,
            greatest(0, running - allowance) - greatest(0, running - units - allowance)
                as cost,
        from used
        left join staging.bolt__accounts using (account)
        where payload ->> 'channel' = 'voice'
    """,
    "facts/fact_calls.sql": """
        -- One row per call.
        -- @key call_key
        -- @not_null vendor
        -- @accepted vendor: acme, bolt
        -- @check cost >= 0
        -- @column call_key: vendor, account and the vendor's id
        -- @column vendor: who
        -- @column call_date: day of the start, in UTC;
        --   NULL = it has none
        -- @column cost: what it cost; NULL = free
        -- @column units [minutes]: used; NULL = not told
        -- @column note: what the register says; NULL = nothing
        select
            vendor || ':' || account || ':' || vendor_call_id as call_key,
            vendor,
            started_at::date as call_date,
            cost::decimal(18, 6) as cost,
            units,
            note,
        from staging.calls
        left join config.notes using (vendor)
    """,
    "facts/fact_call_costs.sql": """
        -- One row per call with a cost.
        -- @key call_key, line_no
        -- @column call_key: of the call
        -- @column line_no: from 1
        -- @not_null amount
        -- @column amount: of the line
        select call_key, 1 as line_no, fact_calls.cost as amount
        from main.fact_calls
        where cost is not null
    """,
    "dims/dim_vendors.sql": """
        -- One row per vendor.
        -- @key vendor
        -- @column vendor: who
        -- @not_null call_count
        -- @column call_count: calls ever
        select vendor, count(*) as call_count from main.fact_calls group by all
    """,
    "marts/daily_calls.sql": """
        -- One row per day and vendor.
        -- @key call_date, vendor
        -- @column call_date: day
        -- @column vendor: who
        -- @column call_count: calls of the day
        -- @not_null call_count
        -- @column amount: what they cost; NULL = nothing
        select call_date, vendor, count(*) as call_count, sum(amount) as amount
        from main.fact_calls
        left join main.fact_call_costs using (call_key)
        where call_date is not null
        group by all
    """,
    "ops/quarantine.sql": """
        -- One row per record that could not be read.
        -- @key vendor, record_no
        -- @column vendor: who
        -- @column record_no: of the record
        -- @column reason: why; NULL = none
        select vendor, record_no, reason from raw.quarantine
    """,
    "facts/costs_add_up.check.sql": """
        -- The lines of a call add up to its cost.
        select call_key, cost, sum(amount) as lines
        from main.fact_calls
        left join main.fact_call_costs using (call_key)
        group by all
        having cost is distinct from sum(amount)
    """,
    "marts/days_add_up.check.sql": """
        -- A day has as many calls as there are.
        select call_date, vendor, count(*) as here, any_value(call_count) as there
        from main.fact_calls
        join main.daily_calls using (call_date, vendor)
        group by all
        having here <> there
    """,
}
NOTES = pa.table({"vendor": ["acme"], "note": ["first"]})
SHAPE = (
    "account varchar, record_id varchar, event_at timestamptz,"
    " window_from timestamptz, fetched_at timestamptz, payload varchar,"
    " _dlt_load_id varchar, load_no bigint"
)
START = dt.datetime(2026, 1, 30, tzinfo=dt.UTC)
Row: TypeAlias = tuple[int, int, Mapping[str, object]]
"""Number of the record, hours after START, payload."""
VOICE = {"channel": "voice", "cost": "1.5", "units": 8}
TEXT = VOICE | {"channel": "text"}


class Warehouse:
    """Two raw files, a folder of models and a file to build, in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.models = root / "models"
        self.raw = {name: root / f"{name}.duckdb" for name in ("acme", "bolt")}
        self.context = {
            "notes": pa.table({"vendor": ["acme"], "note": ["first"]}),
            "run": pa.table({"now": [START], "zone": ["UTC"]}),
        }
        self.loads = 0
        for file, text in MODELS.items():
            self.write(file, text)

    def write(self, file: str, text: str) -> None:
        (self.models / file).parent.mkdir(parents=True, exist_ok=True)
        (self.models / file).write_text(dedent(text).lstrip())

    def load(self, vendor: str, *rows: Row) -> None:
        """Land calls as one load, later than all before."""
        self._land(
            vendor,
            "calls",
            [
                (
                    ("main", "second")[number % 2],
                    f"r{number}",
                    START + dt.timedelta(hours=hours),
                    json.dumps(
                        dict(payload) | {"at": str(START + dt.timedelta(hours=hours))}
                    ),
                )
                for number, hours, payload in rows
            ],
        )

    def register(self, account: str, allowance: int) -> None:
        """Land an account, which is a reference."""
        self._land("bolt", "accounts", [(account, account, START, str(allowance))])

    def land_list(self, name: str, size: str) -> None:
        """Land a list, of which no call is made."""
        self._land("bolt", "lists", [("main", name, START, size)])

    def _land(
        self, vendor: str, table: str, rows: list[tuple[str, str, dt.datetime, str]]
    ) -> None:
        self.loads += 1
        fetched = START + dt.timedelta(days=100, minutes=self.loads)
        with duckdb.connect(str(self.raw[vendor])) as raw:
            raw.execute("set timezone = 'UTC'; create schema if not exists raw")
            raw.execute(f"create table if not exists raw.{table} ({SHAPE})")
            for account, record, at, payload in rows:
                values = [account, record, at, at, fetched, payload]
                raw.execute(
                    f"insert into raw.{table} values (?, ?, ?, ?, ?, ?, ?, ?)",
                    [*values, str(self.loads), self.loads],
                )

    def build(
        self,
        file: str = "build",
        *,
        full: bool = False,
        unreadable: Collection[str] = (),
        forget_history: bool = False,
    ) -> BuildResult:
        return build(
            self.root / f"{file}.duckdb",
            self.models,
            self.raw,
            self.context,
            full=full,
            unreadable=unreadable,
            forget_history=forget_history,
        )

    def query(self, sql: str, file: str = "build") -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.root / f"{file}.duckdb"), read_only=True) as built:
            built.execute("set timezone = 'UTC'")
            return built.execute(sql).fetchall()

    def tables(self, file: str = "build") -> dict[object, list[tuple[object, ...]]]:
        """Return the rows of each table of a built file, sorted."""
        names = self.query(
            "select schema_name || '.' || table_name from duckdb_tables()", file
        )
        return {
            name: self.query(f"from {name} order by all", file) for (name,) in names
        }

    def costs(self) -> dict[object, object]:
        found = self.query("select call_key, cost::double from fact_calls")
        return {key: cost for key, cost in found}  # noqa: C416

    def clean(self) -> dict[object, list[tuple[object, ...]]]:
        """Return what a build from nothing makes of the same raw files."""
        (self.root / "clean.duckdb").unlink(missing_ok=True)
        self.build("clean")
        return self.tables("clean")


@pytest.fixture
def bare(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path)


@pytest.fixture
def warehouse(bare: Warehouse) -> Warehouse:
    made = bare
    made.load("acme", (0, 1, VOICE), (1, 2, VOICE))
    made.register("main", 10)
    made.register("second", 0)
    made.load("bolt", (0, 1, VOICE), (1, 2, VOICE))
    return made


def test_the_first_build_is_full_and_holds_only_what_analysts_read(
    warehouse: Warehouse,
) -> None:
    result = warehouse.build()
    assert result.reason == "first build"
    assert result.rebuilt == {"acme": 2, "bolt": 2}
    assert warehouse.costs() == {
        "acme:main:r0": 1.5,
        "acme:second:r1": 1.5,
        "bolt:main:r0": 0,
        "bolt:second:r1": 8,
    }
    everything = warehouse.query(
        "select distinct schema_name from ("
        " select schema_name from duckdb_tables()"
        " union all select schema_name from duckdb_views() where not internal)"
        " order by all"
    )
    assert everything == [("main",), ("ops",)]


def test_a_build_without_changes_rebuilds_nothing(warehouse: Warehouse) -> None:
    warehouse.build()
    before = warehouse.tables()
    result = warehouse.build()
    assert not result.is_full
    assert result.rebuilt == {}
    assert result.rows["main.fact_calls"] == 0
    assert warehouse.tables() == before


def test_a_new_call_brings_along_those_that_are_held_together(
    warehouse: Warehouse,
) -> None:
    warehouse.load("bolt", (2, 24 * 40, VOICE))
    warehouse.build()
    warehouse.load("bolt", (4, 0, VOICE))
    result = warehouse.build()
    assert result.rebuilt == {"bolt": 2}
    assert warehouse.costs()["bolt:main:r0"] == 6
    assert warehouse.tables() == warehouse.clean()


def test_a_call_that_moved_brings_along_both_its_months(warehouse: Warehouse) -> None:
    march = 24 * 40
    warehouse.load("bolt", (2, 0, VOICE))
    warehouse.load("bolt", (2, march + 5, VOICE), (4, march, VOICE))
    warehouse.build()
    warehouse.load("bolt", (6, 3, VOICE))
    assert warehouse.build().rebuilt == {"bolt": 4}
    assert warehouse.costs()["bolt:main:r2"] == 6
    assert warehouse.tables() == warehouse.clean()


def test_a_rebuild_query_may_read_what_loads_and_others_marked(
    warehouse: Warehouse,
) -> None:
    asked = "select 'acme' as vendor, 'main' as account, 'r2' as record_id"
    warehouse.write(
        "facts/a.rebuild.sql",
        f"-- The other calls of an account that has news.\n{asked}"
        " from inputs.rebuild where vendor = 'bolt' and account = 'main'"
        f" union all {asked.replace('r2', 'r4')} from inputs.rebuild"
        " where vendor = 'acme' and record_id = 'r0'",
    )
    warehouse.write(
        "facts/b.rebuild.sql",
        "-- A call that time changes.\n"
        "select 'acme' as vendor, 'main' as account, 'r0' as record_id"
        " from main.fact_calls where vendor = 'acme' limit 1",
    )
    warehouse.load("acme", (2, 3, VOICE), (4, 4, VOICE))
    warehouse.build()
    assert warehouse.build().rebuilt == {"acme": 2}
    warehouse.load("bolt", (4, 24 * 80, VOICE))
    assert warehouse.build().rebuilt == {"acme": 3, "bolt": 1}


def test_a_call_that_moves_is_counted_on_its_new_day_only(warehouse: Warehouse) -> None:
    warehouse.build()
    warehouse.load("acme", (0, 100, VOICE))
    assert warehouse.build().rebuilt == {"acme": 1}
    days = (
        "select call_date::varchar, call_count from daily_calls where vendor = 'acme'"
    )
    assert warehouse.query(f"{days} order by all") == [
        ("2026-01-30", 1),
        ("2026-02-03", 1),
    ]


def test_a_call_whose_last_version_is_no_call_leaves_every_table(
    warehouse: Warehouse,
) -> None:
    warehouse.build()
    warehouse.load("acme", (0, 1, TEXT))
    warehouse.build()
    assert "acme:main:r0" not in warehouse.costs()
    assert warehouse.tables() == warehouse.clean()


def test_a_call_without_a_date_is_recomputed_like_any_other(
    warehouse: Warehouse,
) -> None:
    dated = "started_at::date as call_date"
    warehouse.write(
        "facts/fact_calls.sql",
        dedent(MODELS["facts/fact_calls.sql"]).replace(
            dated, "case when cost < 9 then started_at::date end as call_date"
        ),
    )
    warehouse.build()
    for cost in ("9", "8", "10"):
        warehouse.load("acme", (0, 1, VOICE | {"cost": cost}))
        warehouse.build()
        assert warehouse.tables() == warehouse.clean()


def test_a_mart_must_say_what_it_does_with_calls_without_a_date(
    warehouse: Warehouse,
) -> None:
    for file, old, new in (
        (
            "facts/fact_calls.sql",
            "started_at::date",
            "nullif(started_at::date, date '2026-03-01')",
        ),
        ("marts/daily_calls.sql", "where call_date is not null", ""),
    ):
        text = (warehouse.models / file).read_text()
        warehouse.write(file, text.replace(old, new))
    warehouse.build()
    warehouse.load("acme", (2, 24 * 30, VOICE))
    with pytest.raises(CheckFailed, match="not_null call_date"):
        warehouse.build()


def test_a_changed_reference_rebuilds_every_call_of_its_vendor(
    warehouse: Warehouse,
) -> None:
    warehouse.build()
    warehouse.register("second", 5)
    result = warehouse.build()
    assert not result.is_full
    assert result.rebuilt == {"bolt": 2}
    assert warehouse.costs()["bolt:second:r1"] == 3


def test_a_changed_reference_that_is_in_no_call_rebuilds_none(
    warehouse: Warehouse,
) -> None:
    warehouse.write(
        "staging/bolt__lists.sql",
        "-- One row per list.\n-- @reference\n"
        "select record_id, arg_max(payload, fetched_at)::integer as size"
        " from raw.bolt__lists group by all",
    )
    warehouse.write(
        "dims/lists.sql",
        "-- One row per list.\n-- @key list_id\n-- @not_null size\n"
        "-- @column list_id: its own\n-- @column size: of it\n"
        "select record_id as list_id, size from staging.bolt__lists",
    )
    for size in ("5", "7"):
        warehouse.land_list("a", size)
        result = warehouse.build()
        assert warehouse.query("select size from lists") == [(int(size),)]
    assert not result.is_full
    assert result.rebuilt == {}


def test_a_vendor_without_a_file_fills_no_row_and_keeps_those_it_has(
    warehouse: Warehouse,
) -> None:
    hidden = warehouse.raw.pop("bolt")
    warehouse.build()
    assert set(warehouse.costs()) == {"acme:main:r0", "acme:second:r1"}
    warehouse.raw["bolt"] = hidden
    assert warehouse.build().rebuilt == {"bolt": 2}
    warehouse.raw["bolt"] = warehouse.root / "nowhere.duckdb"
    assert warehouse.build().rebuilt == {}
    assert len(warehouse.costs()) == 4


def test_a_member_of_a_union_declares_only_the_columns_it_can_fill(
    warehouse: Warehouse,
) -> None:
    warehouse.build()
    units = "select vendor, units, note from fact_calls group by all order by all"
    assert warehouse.query(units) == [("acme", None, "first"), ("bolt", 8, None)]


def test_a_union_without_a_member_has_no_row(warehouse: Warehouse) -> None:
    warehouse.write(
        "staging/unions/legs.sql",
        "-- One row per leg.\n-- @kind union\nselect 1 as leg_no where false",
    )
    warehouse.write(
        "facts/legs.sql",
        "-- One row per leg.\n-- @key call_key\n-- @column call_key: its call\n"
        "select vendor || leg_no as call_key from staging.legs",
    )
    warehouse.build()
    assert warehouse.query("from legs") == []


def test_a_table_has_its_former_name_until_the_header_says_otherwise(
    warehouse: Warehouse,
) -> None:
    header = "-- One row per part.\n-- @kind table\n-- @key number\n"
    column = "-- @column number: its own\nselect 1 as number"
    warehouse.write("ops/parts.sql", f"{header}{column}")
    warehouse.build()
    (warehouse.models / "ops/parts.sql").unlink()
    former = "-- @former_name ops.parts\n"
    warehouse.write("intermediate/parts/numbers.sql", f"{header}{former}{column}")
    for result in (warehouse.build(), warehouse.build()):
        assert result.rows["intermediate.numbers"] == 1
        assert warehouse.query("from ops.parts") == [(1,)]
    kinds = "select table_type from information_schema.tables where table_name = ?"
    assert warehouse.query(kinds.replace("?", "'parts'")) == [("VIEW",)]
    warehouse.write("intermediate/parts/numbers.sql", f"{header}{column}")
    warehouse.build()
    assert warehouse.query(kinds.replace("?", "'parts'")) == []
    warehouse.write("ops/parts.sql", f"{header}{column}")
    warehouse.build()
    assert warehouse.query(kinds.replace("?", "'parts'")) == [("BASE TABLE",)]
    warehouse.write("intermediate/parts/numbers.sql", f"{header}{former}{column}")
    with pytest.raises(ModelError, match=r"ops/parts\.sql is ops\.parts now"):
        warehouse.build()


def test_a_rebuild_query_adds_calls_that_no_load_changed(
    warehouse: Warehouse,
) -> None:
    warehouse.write(
        "facts/fact_settled.sql",
        """
        -- One row per call, and whether its day is over.
        -- @key call_key
        -- @column call_key: the call
        -- @column is_settled: its start is in the past
        select
            vendor || ':' || account || ':' || vendor_call_id as call_key,
            started_at < (select run.now from config.run) as is_settled,
        from staging.calls
        """,
    )
    warehouse.write(
        "facts/fact_settled.rebuild.sql",
        """
        -- Calls that were not settled when they were last computed.
        select vendor, split_part(call_key, ':', 2) as account,
            split_part(call_key, ':', 3) as record_id
        from main.fact_settled
        join main.fact_calls using (call_key)
        where not is_settled
        """,
    )
    warehouse.load("acme", (5, 1, VOICE))
    warehouse.build()
    now = START + dt.timedelta(days=9)
    warehouse.context["run"] = pa.table({"now": [now], "zone": ["UTC"]})
    result = warehouse.build()
    assert result.reason is None
    assert result.rebuilt == {"acme": 3, "bolt": 2}
    assert warehouse.query("select distinct is_settled from fact_settled") == [(True,)]


def test_ledgers_of_all_vendors_are_one_table(warehouse: Warehouse) -> None:
    with duckdb.connect(str(warehouse.raw["bolt"])) as raw:
        raw.execute(
            "create table raw.quarantine as"
            " select 'main' as account, 7 as record_no, 'no id' as reason"
        )
    warehouse.build()
    assert warehouse.query("from ops.quarantine") == [("bolt", 7, "no id")]


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.write(
            "dims/dim_vendors.sql",
            dedent(MODELS["dims/dim_vendors.sql"]).replace("calls ever", "calls"),
        ),
        lambda it: it.context.update(notes=pa.table({"vendor": ["a"], "note": ["b"]})),
    ],
    ids=["model", "configuration"],
)
def test_what_could_change_old_calls_leads_to_a_full_build(
    warehouse: Warehouse, change: Callable[[Warehouse], object]
) -> None:
    warehouse.build()
    change(warehouse)
    assert warehouse.build().is_full
    assert warehouse.tables() == warehouse.clean()


@pytest.mark.parametrize("is_full", [True, False], ids=["full", "night"])
@pytest.mark.parametrize("state", ["absent", "unreadable", "shortened"])
def test_a_vendor_keeps_its_calls_while_its_raw_file_is_not_to_be_had(
    warehouse: Warehouse, state: str, *, is_full: bool
) -> None:
    warehouse.build()
    before = warehouse.tables()
    path = warehouse.raw["bolt"]
    aside = path.rename(path.with_suffix(".aside"))
    if state == "unreadable":
        del warehouse.raw["bolt"]
    if state == "shortened":
        warehouse.load("bolt", (0, 1, VOICE))
    unreadable = {"bolt"} if state == "unreadable" else set()
    result = warehouse.build(full=is_full, unreadable=unreadable)
    assert [*result.kept] == ["bolt"]
    after = warehouse.tables()
    assert after.pop("ops.kept_vendors") == ([("bolt",)] if is_full else [])
    assert {name: after[name] for name in FACTS} == {n: before[n] for n in FACTS}
    warehouse.raw["bolt"] = aside.rename(path)
    result = warehouse.build()
    assert (result.is_full, result.kept) == (is_full, {})
    assert warehouse.tables() == before == warehouse.clean()


def test_history_is_given_up_only_where_that_is_said(warehouse: Warehouse) -> None:
    warehouse.build()
    warehouse.raw["bolt"].unlink()
    warehouse.load("bolt", (0, 1, VOICE))
    assert [*warehouse.build().kept] == ["bolt"]
    result = warehouse.build(forget_history=True)
    assert (result.reason, result.kept) == ("history of bolt given up", {})
    assert warehouse.tables() == warehouse.clean()
    assert not warehouse.build(forget_history=True).is_full


def test_a_file_of_another_layout_is_not_removed_with_calls_that_are_nowhere_else(
    warehouse: Warehouse,
) -> None:
    warehouse.build()
    with duckdb.connect(str(warehouse.root / "build.duckdb")) as file:
        file.execute("update ops.build_state set layout = 0")
    before = warehouse.tables()
    aside = warehouse.raw["bolt"].rename(warehouse.root / "aside")
    with pytest.raises(HistoryError, match="the calls of bolt cannot be kept"):
        warehouse.build()
    assert warehouse.tables() == before
    aside.rename(warehouse.raw["bolt"])
    assert warehouse.build().is_full
    assert warehouse.tables() == warehouse.clean()


def test_calls_that_do_not_fit_the_new_models_keep_the_file_as_it_is(
    warehouse: Warehouse,
) -> None:
    warehouse.build()
    before = warehouse.tables()
    warehouse.raw["bolt"].unlink()
    fact = dedent(MODELS["facts/fact_calls.sql"])
    other = fact.replace("    units,\n", "    units::double as units,\n")
    assert other != fact
    warehouse.write("facts/fact_calls.sql", other)
    with pytest.raises(HistoryError, match="the calls of bolt cannot be kept"):
        warehouse.build()
    assert warehouse.tables() == before


def test_a_vendor_without_its_raw_file_keeps_its_rows_through_a_new_name(
    warehouse: Warehouse,
) -> None:
    model = dedent(MODELS["facts/fact_call_costs.sql"]).lstrip()
    model = model.replace("-- @key", "-- @kind incremental call_key\n-- @key")
    warehouse.write("ops/lines.sql", model)
    warehouse.build()
    before = warehouse.query("from ops.lines order by all")
    assert [key for key, *_ in before if str(key).startswith("bolt")]
    warehouse.raw["bolt"].unlink()
    (warehouse.models / "ops/lines.sql").unlink()
    renamed = model.replace("-- @key", "-- @former_name ops.lines\n-- @key")
    warehouse.write("intermediate/costs/lines.sql", renamed)
    for result in (warehouse.build(), warehouse.build()):
        assert [*result.kept] == ["bolt"]
        for name in ("intermediate.lines", "ops.lines"):
            assert warehouse.query(f"from {name} order by all") == before


def test_a_seed_is_a_table_and_what_it_says_counts_for_old_calls(
    warehouse: Warehouse,
) -> None:
    fact = dedent(MODELS["facts/fact_calls.sql"])
    warehouse.write("facts/fact_calls.sql", fact.replace("config.notes", "seeds.notes"))
    for note in ("from a file", "corrected"):
        warehouse.write("../seeds/notes.csv", f"vendor,note\nacme,{note}\n")
        assert warehouse.build().is_full
        assert warehouse.query("select max(note) from fact_calls") == [(note,)]


def test_what_only_whole_tables_read_may_change_every_night(
    warehouse: Warehouse,
) -> None:
    warehouse.write(
        "ops/runs.sql", "-- One row per run.\n-- @key run\nselect run from config.runs"
    )
    for run in (1, 2):
        warehouse.context["runs"] = pa.table({"run": [run]})
        assert warehouse.build().is_full == (run == 1)
        assert warehouse.query("from ops.runs") == [(run,)]


def test_a_table_whose_model_is_gone_is_gone(warehouse: Warehouse) -> None:
    warehouse.build()
    (warehouse.models / "dims/dim_vendors.sql").unlink()
    warehouse.build()
    assert "main.dim_vendors" not in warehouse.tables()


def test_meanings_are_comments_in_the_file_every_night(warehouse: Warehouse) -> None:
    warehouse.build()
    warehouse.build()
    comments = warehouse.query(
        "select comment from duckdb_columns() where column_name = 'call_date'"
        " and table_name = 'fact_calls' union all"
        " select comment from duckdb_tables() where table_name = 'dim_vendors'"
    )
    assert comments == [
        ("day of the start, in UTC; NULL = it has none",),
        ("One row per vendor.",),
    ]


def test_a_failed_check_names_the_rows_and_leaves_the_file_as_it_was(
    warehouse: Warehouse,
) -> None:
    warehouse.build()
    before = warehouse.tables()
    warehouse.load("acme", (2, 5, VOICE | {"cost": "-2"}), (4, 5, VOICE))
    with pytest.raises(CheckFailed, match=r"1 rows fail: check cost >= 0") as failed:
        warehouse.build()
    assert failed.value.model == "main.fact_calls"
    assert failed.value.rows == ({"call_key": "acme:main:r2", "cost": -2},)
    assert warehouse.tables() == before


@pytest.mark.parametrize(
    ("file", "old", "new", "check"),
    [
        ("facts/fact_calls.sql", "@check cost >= 0", "@check cost < 0", "check cost"),
        ("facts/fact_calls.sql", "vendor: acme, bolt", "vendor: acme", "accepted ven"),
        ("facts/fact_calls.sql", "@not_null vendor", "@not_null note", "not_null note"),
        ("facts/fact_calls.sql", "from staging.calls", "from twice", "unique call_key"),
        ("facts/fact_calls.sql", "|| vendor_call_id", "|| units", "not_null call_key"),
        (
            "facts/fact_calls.sql",
            "|| account ||",
            "||",
            "a call of this build",
        ),
        ("facts/fact_call_costs.sql", ".cost as", ".cost + 1 as", "costs_add_up"),
        ("marts/daily_calls.sql", "count(*) as", "count(*) + 1 as", "days_add_up"),
    ],
)
def test_a_first_build_that_fails_a_check_leaves_nothing(
    warehouse: Warehouse, file: str, old: str, new: str, check: str
) -> None:
    twice = "from (from staging.calls union all from staging.calls)"
    text = dedent(MODELS[file]).replace(old, new).replace("from twice", twice)
    warehouse.write(file, text)
    with pytest.raises(CheckFailed, match=check) as failed:
        warehouse.build()
    assert 0 < len(failed.value.rows) <= failed.value.count
    assert warehouse.tables() == {}


def test_an_error_in_a_query_leaves_the_file_as_it_was(warehouse: Warehouse) -> None:
    warehouse.build()
    before = warehouse.tables()
    warehouse.load("acme", (2, 5, VOICE | {"cost": "free"}))
    with pytest.raises(duckdb.ConversionException, match="free") as failed:
        warehouse.build()
    assert failed.value.__notes__ == ["in the model staging/acme__calls.sql"]
    assert warehouse.tables() == before


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("dims/a.sql", "-- @ky b", r"a.sql:2: unknown tag @ky; the nearest is key"),
        ("dims/a.sql", "-- @kind incremental", r"a.sql:2: unknown kind 'incremental'"),
        ("dims/a.sql", "-- @key a b", r"a.sql:2: write @key as 'column, column'"),
        ("dims/a.sql", "-- @column b, c", r"a.sql:2: write @column as 'column"),
        ("dims/a.sql", "-- @accepted b: ", r"a.sql:2: write @accepted as"),
        ("dims/a.sql", "-- @check b >", r"a.sql:2: @check needs one SQL expression"),
        ("dims/a.sql", "", r"a.sql: a stored table needs '-- @key column'"),
        ("facts/a.sql", "-- @key b", r"a.sql: incremental call_key needs call_key"),
        ("staging/a.sql", "-- @kind table\n-- @key a", r"a.sql: staging is transient"),
        ("dims/a.sql", "-- @former_name b", r"a.sql:2: write @former_name as 'schema"),
        (
            "staging/a.sql",
            "-- @former_name ops.b",
            r"a.sql: only a stored table has a @former_name",
        ),
        ("facts/a.sql", "-- @kind union", r"a.sql: a union is of staging models"),
        ("dim/a.sql", "", r"dim/a.sql: a model is .*; the nearest is dims"),
        ("dims/A.sql", "", r"dims/A.sql: a model is .* in lowercase"),
        (
            "a.check.sql",
            "-- @key b",
            r"a.check.sql:2: a check has a sentence and no tags",
        ),
    ],
)
def test_a_wrong_header_is_one_sentence_with_its_place(
    bare: Warehouse, file: str, text: str, sentence: str
) -> None:
    assert lint(bare.models) == []
    bare.write(file, f"-- One row.\n{text}\nselect 1 as b")
    with pytest.raises(ModelError, match=sentence):
        bare.build()
    assert len(lint(bare.models)) == 1


@pytest.mark.parametrize(
    ("file", "sql", "sentence"),
    [
        (
            "dims/a.sql",
            "select b from main.fact_cals",
            r"the nearest is main.fact_call",
        ),
        ("dims/a.sql", "select b from config.note", r"the nearest is config.notes"),
        (
            "dims/a.sql",
            "select b\nfrom fact_calls",
            r"a.sql:5: write fact_calls as sch",
        ),
        ("dims/a.sql", "select b from main.a", r"models read in a circle: main.a < ma"),
        (
            "dims/a.sql",
            "select b from staging.calls",
            r"staging.calls has the ca",
        ),
        (
            "dims/a.sql",
            "select b from raw.acme__calls",
            r"read by staging/acme/\*.sql",
        ),
        (
            "dims/a.sql",
            "select b from inputs.rebuild",
            r"a.sql:4: .* for a \*.rebuild.sql",
        ),
        (
            "dims/a.sql",
            "select 1 as b; select 2",
            r"a.sql: after its header a file hol",
        ),
        (
            "dims/a.sql",
            "drop table main.a",
            r"a.sql: after its header a file holds one",
        ),
        ("dims/a.sql", "select (b", r"a.sql:4: the SQL cannot be read"),
        (
            "dims/a.sql",
            "select 1 as bb",
            r"a.sql: the SELECT has no column b; .* is bb",
        ),
        ("dims/a.sql", "select 1 as b, 2 as c", r"a.sql: say what c is, '-- @column c"),
        (
            "ops/fact_calls.sql",
            "select 1 as b from raw.load_window",
            r"raw.load_window is not raw.<vendor>__<table>; .* is raw.load_windows",
        ),
        (
            "dims/fact_calls.sql",
            "select 1 as b",
            r"facts/fact_calls.sql: dims/fact_calls.sql has the same name; rename one",
        ),
    ],
)
def test_a_wrong_query_is_one_sentence_with_its_place(
    bare: Warehouse, file: str, sql: str, sentence: str
) -> None:
    bare.write(file, f"-- One row.\n-- @key b\n-- @column b: it\n{sql}")
    with pytest.raises(ModelError, match=sentence):
        bare.build()


def test_what_marks_records_cannot_read_what_comes_later(bare: Warehouse) -> None:
    bare.write("a.rebuild.sql", "-- One row.\nselect 1 as b\nfrom staging.calls")
    with pytest.raises(ModelError, match=r"a.rebuild.sql:3: staging.calls is not "):
        bare.build()


def test_a_mart_by_day_needs_the_table_of_calls(tmp_path: Path) -> None:
    (tmp_path / "marts").mkdir()
    mart = "-- One row.\n-- @key call_date\nselect 1 as call_date"
    (tmp_path / "marts/a.sql").write_text(mart, "utf-8")
    with pytest.raises(ModelError, match=r"a.sql: incremental call_date needs main.f"):
        read_graph(tmp_path, ())


@pytest.mark.parametrize("name", ["main", "Acme", "ac me"])
def test_a_vendor_has_a_name_that_sql_can_have(warehouse: Warehouse, name: str) -> None:
    warehouse.raw[name] = warehouse.raw["acme"]
    with pytest.raises(ModelError, match=f"'{name}' cannot be a vendor's name"):
        warehouse.build()


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_nights_and_a_build_from_nothing_agree(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    warehouse = Warehouse(tmp_path_factory.mktemp("random"))
    payload = st.builds(
        lambda channel, units: {"channel": channel, "cost": units, "units": units},
        st.sampled_from(["voice", "voice", "text"]),
        st.integers(0, 9),
    )
    hours = st.sampled_from([0, 1, 30, 47, 49, 24 * 31, 24 * 33])
    row = st.tuples(st.integers(0, 5), hours, payload)
    unique = st.lists(row, max_size=4, unique_by=lambda one: one[0])
    night = st.tuples(unique, unique, st.none() | st.integers(0, 20))
    for acme, bolt, allowance in data.draw(st.lists(night, min_size=2, max_size=4)):
        warehouse.load("acme", *acme)
        warehouse.load("bolt", *bolt)
        if allowance is not None:
            warehouse.register("second", allowance)
        warehouse.build()
    assert warehouse.tables() == warehouse.clean()


LOOP = """
import sys
from pathlib import Path
from test_runner import Warehouse
warehouse = Warehouse(Path(sys.argv[1]))
print("ready", flush=True)
for _ in range(100):
    warehouse.build()
    warehouse.build(full=True)
"""


def test_a_killed_build_is_made_good_by_the_next(warehouse: Warehouse) -> None:
    command = [sys.executable, "-c", LOOP, str(warehouse.root)]
    for number, delay in enumerate((0.01, 0.05, 0.1, 0.17)):
        warehouse.load("acme", (number, 1 + 30 * number, VOICE))
        warehouse.load("bolt", (number, 1 + 30 * number, VOICE))
        with subprocess.Popen(
            command, cwd=Path(__file__).parent, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            time.sleep(delay)
            child.send_signal(signal.SIGKILL)
    warehouse.build()
    assert warehouse.tables() == warehouse.clean()


def test_a_database_that_used_its_folder_is_not_used_again(tmp_path: Path) -> None:
    """DuckDB takes no other folder then, and the next file has one of its own."""
    large = (
        "create temp table t as select range, md5(range::varchar) from range(1500000)"
    )
    for name in ("one", "two"):
        with in_memory(tmp_path / name, {"memory_limit": "60MiB"}) as connection:
            connection.execute(large)
            assert (tmp_path / name).exists()
            connection.execute("drop table t")
        assert not (tmp_path / name).exists()
    with in_memory() as connection:
        limit = connection.execute("select current_setting('memory_limit')").fetchone()
    with duckdb.connect() as fresh:
        query = "select current_setting('memory_limit')"
        assert fresh.execute(query).fetchone() == limit
