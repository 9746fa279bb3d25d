"""How the answer of a query is printed and written."""

import csv
import json
import os
import pty
import re
import subprocess
import termios
from io import StringIO
from pathlib import Path

import duckdb
import pytest
from conftest import CALLHOUSE, callhouse, stamped
from patience import PATIENCE

VALUES = """
    select * from (values
        (null, '', 'a,b', 3.50::decimal(9, 2), [1, null],
            timestamptz '2026-11-17 03:00Z'),
        (7, 'NULL', 'say "x"', null, null, null)
    ) as t (number, text, words, amount, list, moment)
"""
COLUMNS = 'select * from (values (1, 2)) as t ("{}", b)'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a published file that has a stamp alone."""
    folder = tmp_path_factory.mktemp("answers")
    stamped(folder)
    return folder


def asked(folder: Path, *words: str) -> str:
    done = callhouse(folder, {"HOME": str(folder)}, "query", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_terminal(folder: Path, columns: int, *words: str) -> str:
    """Return what a command prints into a terminal of so many columns."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, columns))
    with subprocess.Popen(
        [CALLHOUSE, *words],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(theirs)
        parts = []
        try:
            while part := os.read(ours, 65_536):
                parts.append(part)
        except OSError:  # the other end is closed
            pass
        assert process.wait(PATIENCE) == 0
    os.close(ours)
    text = b"".join(parts).decode().replace("\r\n", "\n")
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_table_says_null_aligns_by_type_and_says_that_it_is_empty(
    folder: Path,
) -> None:
    lines = asked(folder, VALUES).splitlines()
    first, second = (
        [cell.strip() for cell in line.split("│")[1:-1]] for line in lines[3:5]
    )
    assert first[:4] == ["NULL", "", "a,b", "3.50"]
    assert second[:4] == ["7", "NULL", 'say "x"', "NULL"]
    assert lines[4].startswith("│      7 │")  # a number, though NULL comes first
    assert asked(folder, "select 1 as a where false").endswith("(0 rows)\n")


def test_a_table_has_the_first_rows_and_says_how_many_are_left(folder: Path) -> None:
    shown = asked(folder, "from range(1234)")
    assert "│   199 │" in shown
    assert "│   200 │" not in shown
    assert shown.endswith("... 1,034 more; --all prints them, --csv too\n")
    assert "│  1233 │" in asked(folder, "--all", "from range(1234)")
    assert "more" not in asked(folder, "from range(200)")


def test_a_table_is_as_wide_as_it_needs_in_a_pipe_and_listed_in_a_terminal(
    folder: Path,
) -> None:
    name, value = "n" * 200, "v" * 300
    sql = f"select '{value}' as {name}, 2 as other"
    (line,) = (line for line in asked(folder, sql).splitlines() if value in line)
    assert line.endswith(" 2 │")
    listed = in_terminal(folder, 60, "query", sql)
    assert "│" not in listed
    assert listed.startswith("row 1\n")
    assert max(map(len, listed.splitlines())) <= 60
    assert listed.count("v") == 300
    assert "│ 1 │ 2 │" in in_terminal(folder, 60, "query", COLUMNS.format("a"))


def test_csv_tells_null_from_an_empty_text(folder: Path) -> None:
    text = asked(folder, "--csv", VALUES)
    assert text.splitlines()[1].startswith(',"","a,b",3.50,"[1,null]",2026-11-17T03:00')
    names, *rows = csv.reader(StringIO(text))
    assert names == ["number", "text", "words", "amount", "list", "moment"]
    assert rows[1] == ["7", "NULL", 'say "x"', "", "", ""]
    assert asked(folder, "--csv", "select 1 as a, 2 as a").startswith("a,a_1\n1,2")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("+44 20 (7946)", "+44 20 (7946)"),
        ("+cmd|x", "'+cmd|x"),
        ("-1.5", "-1.5"),
        ("-a", "'-a"),
        ("a=1", "a=1"),
        ("=a,b", '"\'=a,b"'),
    ],
)
def test_csv_has_no_formula(folder: Path, text: str, cell: str) -> None:
    asked_for = asked(folder, "--csv", f"select '{text}' as x, -2 as y")
    assert asked_for == f"x,y\n{cell},-2\n"


def test_json_has_a_row_a_line_and_every_row(folder: Path) -> None:
    text = asked(folder, "--json", "select range as n, null as x from range(3000)")
    assert json.loads(text)[2999] == {"n": 2999, "x": None}
    assert len(text.splitlines()) == 3002
    assert json.loads(asked(folder, "--json", "select 1 where false")) == []


def test_parquet_has_the_types_of_the_answer_and_is_private(folder: Path) -> None:
    file = folder / "answer.parquet"
    file.write_text("an older one", "utf-8")
    done = callhouse(
        *(folder, {"HOME": str(folder)}, "query", "--parquet", str(file), VALUES)
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"wrote 2 rows into {file}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    with duckdb.connect() as reader:
        reader.execute("set TimeZone = 'UTC'")
        found = reader.read_parquet(str(file))
        assert found.fetchall() == reader.sql(VALUES).fetchall()
        assert found.types == reader.sql(VALUES).types
    assert not list(folder.glob("*.part"))


@pytest.mark.parametrize("program", ["duckdb", "harlequin"])
def test_a_shell_opens_the_published_file_read_only(
    folder: Path, tmp_path: Path, program: str
) -> None:
    there = tmp_path / program
    there.write_text('#!/bin/sh\necho "$0" "$@"\n', "utf-8")
    there.chmod(0o755)
    done = subprocess.run(
        [CALLHOUSE, "shell"],
        cwd=folder,
        env={"PATH": str(tmp_path), "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{there} -")
    assert "read" in done.stdout
    assert done.stdout.endswith(f"{folder}/warehouse/calls.duckdb\n")


def test_without_a_shell_it_says_what_to_install(folder: Path, tmp_path: Path) -> None:
    nowhere = {"HOME": str(folder), "PATH": str(tmp_path)}
    done = callhouse(folder, nowhere, "shell")
    assert done.returncode == 2
    assert "neither duckdb nor harlequin is installed" in done.stderr
