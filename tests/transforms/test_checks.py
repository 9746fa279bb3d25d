"""The checks of whole tables: right rows pass them, each wrong one fails its own."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from transforms.runner.checks import CheckFailed, check_query
from transforms.runner.model import read_model

MODELS = Path(__file__).parents[2] / "transforms/models"
CHECKS = [read_model(path, MODELS) for path in sorted(MODELS.rglob("*.check.sql"))]
LINES = {
    "telephony": 1,
    "transfer": 2,
    "bot": 3,
    "ai_llm": 4,
    "ai_tts": 5,
    "recording": 6,
    "transcription": 7,
    "other": 8,
}
COSTS = {
    "cost_telephony": 1,
    "cost_transfer": 2,
    "cost_bot": 3,
    "cost_ai": 9,
    "cost_recording": 6,
    "cost_transcription": 7,
    "cost_other": 8,
    "cost_unallocated": 4,
    "cost_total": 40,
}
TABLES = {
    "bridge_call_agents": ("call_key", "agent_key"),
    "bridge_call_queues": ("call_key", "queue_key"),
    "bridge_call_payers": ("call_key",),
    "fact_call_attributes": ("call_key",),
    "dim_agents": ("agent_key",),
    "dim_queues": ("queue_key",),
    "fact_call_legs": ("call_key",),
}
WRONG = [
    *(
        (
            f"update fact_calls set {column} = {value} where call_key = 'one'",
            "cost_pivot",
        )
        for column in COSTS
        for value in ("100", "null")
    ),
    ("update fact_calls set cost_bot = 0 where call_key = 'unpriced'", "cost_pivot"),
    ("update fact_call_costs set is_leaf = true", "cost_pivot"),
    *(
        (f"insert into {table} ({column}) values ('other')", check)
        for table, column, check in (
            ("fact_call_costs", "call_key", "lines_have_a_call"),
            ("fact_call_legs", "call_key", "lines_have_a_call"),
            ("bridge_call_payers", "call_key", "lines_have_a_call"),
            ("fact_call_attributes", "call_key", "lines_have_a_call"),
        )
    ),
    *(
        (f"update {table} set {column} = 'other' where call_key = 'one'", check)
        for table, column, check in (
            ("bridge_call_agents", "call_key", "bridges_have_both_ends"),
            ("bridge_call_agents", "agent_key", "bridges_have_both_ends"),
            ("bridge_call_queues", "call_key", "bridges_have_both_ends"),
            ("bridge_call_queues", "queue_key", "bridges_have_both_ends"),
        )
    ),
]
"""One statement that makes a row wrong, and the check that must tell."""


@pytest.fixture
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give the tables that checks read: a call with all lines, two without any."""
    with duckdb.connect() as connection:
        for table, columns in TABLES.items():
            names = ", ".join(f"{column} varchar" for column in columns)
            connection.execute(f"create table {table} ({names})")
            for call in ("one", "unpriced", "unallocated"):
                values = ", ".join(f"'{call}'" for _ in columns)
                connection.execute(f"insert into {table} values ({values})")
        amounts = ", ".join(f"{column} decimal(18, 6)" for column in COSTS)
        connection.execute(f"create table fact_calls (call_key varchar, {amounts})")
        connection.execute(
            "create table fact_call_costs (call_key varchar, component varchar,"
            " amount decimal(18, 6), is_leaf boolean)"
        )
        row = ", ".join(str(cost) for cost in COSTS.values())
        connection.execute(f"insert into fact_calls values ('one', {row})")
        connection.execute("insert into fact_calls (call_key) values ('unpriced')")
        connection.execute(
            "insert into fact_calls (call_key, cost_unallocated, cost_total)"
            " values ('unallocated', 5, 5)"
        )
        lines = [("one", *line, True) for line in LINES.items()]
        connection.executemany(
            "insert into fact_call_costs values (?, ?, ?, ?)",
            [*lines, ("one", "ai_platform", 9, False), ("one", "bot", 9, False)],
        )
        yield connection


def failing(tables: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the checks that fail."""
    found = []
    for check in CHECKS:
        try:
            check_query(tables, check, check.sql)
        except CheckFailed:
            found.append(check.name)
    return found


def test_right_rows_pass_every_check(tables: duckdb.DuckDBPyConnection) -> None:
    assert CHECKS
    assert failing(tables) == []


@pytest.mark.parametrize(("statement", "check"), WRONG, ids=[one for one, _ in WRONG])
def test_one_wrong_row_fails_its_check(
    tables: duckdb.DuckDBPyConnection, statement: str, check: str
) -> None:
    tables.execute(statement)
    assert failing(tables) == [check]


def test_every_check_has_a_wrong_row() -> None:
    assert {check.name for check in CHECKS} == {check for _, check in WRONG}
