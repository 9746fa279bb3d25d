"""What the README and the pages of queries say can be done, can be done."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from conftest import House, open_house
from patience import PATIENCE

from pipelines.cli.app import app
from pipelines.cli.run_view import FIRST_QUERY
from pipelines.planning.windows import read_time

NOW = read_time("2026-11-17T03:00:00Z")
ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
QUESTIONS = (ROOT / "docs/questions.md").read_text("utf-8").split("\n## ")[1:]
ANALYST = (ROOT / "docs/analyst.md").read_text("utf-8")
PAGES = README + (ROOT / "docs/metrics.md").read_text("utf-8") + ANALYST
QUERIES = re.findall(r"```sql\n(.*?)```", PAGES, flags=re.DOTALL)
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text("utf-8")
(SOURCE,) = re.findall(r"```python\n(.*?)```", ARCHITECTURE, flags=re.DOTALL)
COMMANDS = (ROOT / "docs/commands.md").read_text("utf-8")
(MONEY,) = re.findall(r"```python\n(.*?)```", ANALYST, flags=re.DOTALL)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("readme"), NOW, days=3, volume=30) as house:
        night = house.night(NOW)
        assert night.returncode == 0, night.stderr
        yield house


@pytest.mark.parametrize("sql", [*QUERIES, FIRST_QUERY])
def test_a_first_query_runs_as_printed_and_has_an_answer(
    house: House, sql: str
) -> None:
    assert house.query(sql)
    asked = house.run("query", "--json", sql)
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.startswith("[")


def test_python_gets_money_as_decimals_by_the_page_for_analysts(house: House) -> None:
    shown = "print({*map(type, (row[2] for row in rows))}, table['cost_total'].type)"
    done = subprocess.run(
        [sys.executable, "-c", f"{MONEY}\n{shown}"],
        cwd=house.folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == "{<class 'decimal.Decimal'>} decimal128(18, 6)\n", done.stderr


def test_the_page_for_analysts_names_tables_that_there_are(house: House) -> None:
    _, _, tables = ANALYST.partition("## Which table")
    listed = tables.partition("## What goes wrong")[0]
    rows = re.findall(r"^\| [^|]* \| (`[^|]*) \|", listed, flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}
    assert len(named) > 20
    for name in sorted(named):
        assert house.query(f"describe {name}"), name


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.partition("?")[0])
def test_a_question_is_answered_by_one_query_of_a_known_zone_and_share(
    house: House, question: str
) -> None:
    title, zone, share = re.split(r"\n\n\*\*Zone\*\*: | \*\*Share\*\*: ", question)
    assert title.endswith("?")
    assert zone
    assert share.partition("```")[0].strip()
    (sql,) = re.findall(r"```sql\n(.*?)```", share, flags=re.DOTALL)
    asked = house.run("query", "--json", sql)
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)


def test_there_are_twenty_questions() -> None:
    assert len({one.partition("\n")[0] for one in QUESTIONS}) == len(QUESTIONS) == 20


def test_a_wrong_query_is_told_in_the_databases_words(house: House) -> None:
    asked = house.run("query", "select nothing from nowhere")
    assert asked.returncode == 4
    assert "nowhere" in asked.stderr


def test_a_query_can_neither_write_nor_read_another_file(house: House) -> None:
    for sql in ("create table x as select 1", "select * from read_csv('/etc/passwd')"):
        assert house.run("query", sql).returncode == 4


def test_a_raw_query_reads_every_version_of_a_record_and_nothing_else(
    house: House,
) -> None:
    sql = (
        "select count(*) as versions, count(twin.payload->>'$.callId') as ids"
        " from raw.twin__calls as twin"
        " left join raw.whippy__calls as other on twin.record_id = other.record_id"
    )
    asked = house.run("query", "--raw", "--json", sql)
    assert asked.returncode == 0, asked.stderr
    (row,) = json.loads(asked.stdout)
    assert row["versions"] == row["ids"] > 0
    for wrong, (code, sentence) in {
        "from raw.twinn__calls": (2, "there is no 'twinn' here; did you mean"),
        'from raw."../twin__calls"': (2, "there is no"),
        "from raw.twin__nothing": (4, "twin__nothing does not exist"),
        "delete from raw.twin__calls": (4, "Can only delete from base table"),
        "from read_text('README.md')": (4, "disabled by configuration"),
        "from fact_calls": (2, "fact_calls is in no raw file; name a table as raw."),
        "": (4, "the query is empty"),
    }.items():
        refused = house.run("query", "--raw", wrong)
        assert (refused.returncode, sentence in refused.stderr) == (code, True), wrong


def test_status_names_every_stream_and_what_is_open(house: House) -> None:
    status = house.run("status", "-v", "--now", "2026-11-17T04:00:00Z")
    assert status.returncode == 0
    for stream in ("voice_calls", "call_sessions", "archived_sessions", "billed_calls"):
        assert stream in status.stdout


def on_its_own(house: House, key: str) -> subprocess.CompletedProcess[str]:
    """Run the page's script against the sandbox."""
    place = "CALLHOUSE__SOURCES__WHIPPY__"
    url, path = (house.environment[place + name] for name in ("BASE_URL", "PATH"))
    given = f'"api_key": "{key}", "base_url": "{url}", "path": "{path}"'
    return house.run_python(SOURCE.replace('"api_key": "..."', given))


def test_a_source_works_on_its_own(house: House) -> None:
    key = house.environment["CALLHOUSE__SOURCES__WHIPPY__ACCOUNTS__MAIN__API_KEY"]
    done = on_its_own(house, key)
    assert done.returncode == 0, done.stderr
    with duckdb.connect(str(house.folder / "whippy.duckdb")) as connection:
        (held,) = connection.execute(
            "select count(distinct record_id) from raw.calls"
        ).fetchall()
    truth = house.truth(
        "whippy", read_time("2026-11-01T00:00:00Z"), read_time("2026-11-08T00:00:00Z")
    )
    # A second more is asked than the window has, so that no bound loses a call.
    assert len(truth) <= held[0] <= len(truth) + 2


def test_a_source_on_its_own_raises_what_a_run_would_write_down(house: House) -> None:
    done = on_its_own(house, "wrong")
    assert done.returncode == 1
    assert "check the credentials, api_key" in done.stderr


def test_every_command_of_the_table_has_help(house: House) -> None:
    commands = set(re.findall(r"`callhouse (\w+)`", COMMANDS))
    assert commands == {one.callback.__name__ for one in app.registered_commands}
    for command in commands:
        assert house.run(*shlex.split(f"{command} --help")).returncode == 0
