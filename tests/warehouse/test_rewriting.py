"""A file that is copied, so that no byte of what was deleted stays, or lies beside."""

from pathlib import Path

import duckdb
import pytest

from pipelines.warehouse.opening import RAW_FILE, log_of
from pipelines.warehouse.rewriting import replace_by_copy

SECRET = "canary" * 20


@pytest.mark.parametrize("part", [0, 1 / 100, 1 / 2, 99 / 100, 1])
def test_a_log_that_was_cut_short_is_gone_with_what_was_in_it(
    tmp_path: Path, part: float
) -> None:
    """DuckDB reads whole transactions only, and keeps a log that has none of them."""
    path = tmp_path / "whippy.duckdb"
    with duckdb.connect(str(path)) as open_file:
        open_file.execute("create table calls as select 'first' as text")
        open_file.execute("checkpoint")
        open_file.execute(f"insert into calls values ('{SECRET}')")
        content, log = path.read_bytes(), log_of(path).read_bytes()
    assert SECRET.encode() in log
    path.write_bytes(content)
    log_of(path).write_bytes(log[: round(part * len(log))])
    replace_by_copy(path, RAW_FILE)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    with duckdb.connect(str(path), read_only=True) as copied:
        found = [text for (text,) in copied.execute("from calls").fetchall()]
        schemas = copied.execute("from duckdb_schemas() where not internal").fetchall()
    assert found == (["first", SECRET] if part == 1 else ["first"])
    assert [name for _, _, name, *_ in schemas if name == "of_nothing"] == []
