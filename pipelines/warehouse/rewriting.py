"""Copy a DuckDB file into a new one, so that no byte of a deleted value is left.

A value that was deleted or replaced stays in free blocks of its file, also after a
checkpoint, until another value is written there.
"""

from pathlib import Path

from pipelines.warehouse.opening import (
    ROW_GROUP,
    FileKind,
    log_of,
    private,
    refusing,
)
from pipelines.warehouse.publish import flush
from pipelines.warehouse.queries import query
from transforms.runner.statements import quoted
from transforms.runner.storage import STORAGE, connect

COPYING = "512MiB"
"""Memory for the copy: of a raw file, the payloads of some row groups."""


def replace_by_copy(path: Path, kind: FileKind, *, is_raw: bool = False) -> None:
    """Replace a file, which nobody else may write, by a new one with the same rows.

    Raises `FileError` for a file that cannot be read or that is in use.
    """
    with refusing(path, kind), connect(path) as connection:
        # A log that ends within its first transaction has nothing that counts, and a
        # checkpoint alone leaves it: it would stay beside the new file, values and all.
        if log_of(path).exists():
            connection.execute(query("change_of_nothing"))
        connection.execute("checkpoint")
    incoming = path.with_name(f"{path.name}.incoming")
    copy_database(path, incoming, kind, is_raw=is_raw)
    incoming.chmod(path.stat().st_mode & 0o777)
    incoming.replace(path)
    flush(path.parent)


def copy_database(
    source: Path, target: Path, kind: FileKind, *, is_raw: bool = False
) -> None:
    """Copy all of a DuckDB file into a new one, flushed to the disk."""
    for old in (target, log_of(target)):
        old.unlink(missing_ok=True)
    row_group = f" (row_group_size {ROW_GROUP})" if is_raw else ""
    settings = {**STORAGE, "memory_limit": COPYING, "temp_directory": f"{target}.tmp"}
    with private(), connect(settings={**settings, "threads": 1}) as connection:
        with refusing(source, kind):
            connection.execute(f"attach {quoted(str(source))} as source (read_only)")
        connection.execute(f"attach {quoted(str(target))} as target{row_group}")
        with refusing(source, kind):
            connection.execute("copy from database source to target")
        comments = connection.execute(query("lost_comments")).fetchall()
        for schema, table, column, text in comments:
            name = f'target."{schema}"."{table}"."{column}"'
            connection.execute(f"comment on column {name} is {quoted(text)}")
        connection.execute("checkpoint target")
    flush(target)
