"""DuckDB is opened in one way, in which it downloads and loads no code."""

import ast
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from vendor_server import Answer, VendorServer

from transforms.runner import storage
from transforms.runner.storage import connect

ROOT = Path(__file__).parents[2]
NEEDS_AN_EXTENSION = "from read_csv('http://127.0.0.1:9/calls.csv')"


def test_no_query_makes_duckdb_download_or_load_an_extension(
    scripted: VendorServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control shows that DuckDB would ask for one."""
    scripted.always = lambda *_: Answer(b"", 404)
    settings = {
        "custom_extension_repository": scripted.url,
        "extension_directory": str(tmp_path / "extensions"),
    }
    with connect(None, settings) as connection, pytest.raises(duckdb.Error):
        connection.execute(NEEDS_AN_EXTENSION)
    assert scripted.got == []
    assert not (tmp_path / "extensions").exists()
    monkeypatch.setattr(storage, "NO_EXTENSIONS", {})
    with connect(None, settings) as connection, pytest.raises(duckdb.Error):
        connection.execute(NEEDS_AN_EXTENSION)
    assert "httpfs" in scripted.got[0].path


def test_no_progress_is_shown_where_duckdb_takes_a_program_for_interactive() -> None:
    """The control shows that it does so under ``python -c``."""
    shown = "select current_setting('enable_progress_bar')"
    programs = {
        f'import duckdb; print(duckdb.execute("{shown}").fetchone())': "(True,)",
        "from transforms.runner.storage import connect; connection = connect(); "
        f'print(connection.execute("{shown}").fetchone())': "(False,)",
    }
    for program, expected in programs.items():
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == expected


def test_every_connection_to_duckdb_is_opened_in_that_way() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in ("pipelines", "transforms")
        for path in (ROOT / package).rglob("*.py")
        if path != Path(storage.__file__)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"duckdb.connect", "duckdb.sql", "duckdb.query"}
    ]
    assert found == []
