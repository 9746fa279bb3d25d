"""``callhouse query``: run an operator's SELECT over the published tables."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipelines.config.toml_file import ConfigError, Setting, nearest
from pipelines.sources import vendors
from pipelines.warehouse.migration import locked_raw_file
from pipelines.warehouse.opening import RAW_FILE, attached, is_present, private
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.published_queries import confined, distinct
from pipelines.warehouse.queries import query
from transforms.runner.storage import connect

AT_ONCE = 1_000
"""How many rows are in memory, where all of them are written."""
NUMBERS = frozenset(
    {"tinyint", "smallint", "integer", "bigint", "hugeint", "float", "double"}
    | {"utinyint", "usmallint", "uinteger", "ubigint", "uhugeint", "decimal"}
)
_VALUES = (OverflowError, ValueError, pa.ArrowException)
"""What a value raises that DuckDB has, and Python or Parquet cannot have."""


class QueryError(Exception):
    """A query that DuckDB rejects, or whose answer cannot be written."""


@dataclass(frozen=True)
class Answer:
    """The columns of a query, and its rows as they are fetched."""

    names: Sequence[str]
    """Names of the columns; a repeated one has a number."""
    numbers: frozenset[int]
    """The positions of the columns of numbers."""
    connection: duckdb.DuckDBPyConnection
    text: str

    @cached_property
    def _cursor(self) -> duckdb.DuckDBPyConnection:
        return self.connection.execute(self.text)

    def rows(self, most: int) -> list[tuple[Any, ...]]:
        """Return the next rows, at most so many; [] after the last one."""
        return self._cursor.fetchmany(most)

    def all_rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows that are left, with few of them in memory."""
        while rows := self.rows(AT_ONCE):
            yield from rows

    def batches(self) -> pa.RecordBatchReader:
        """Return all rows in Arrow's form, with the names of this answer."""
        reader = self.connection.sql(self.text).to_arrow_reader(AT_ONCE)
        fields = zip(reader.schema, self.names, strict=True)
        schema = pa.schema([field.with_name(name) for field, name in fields])
        named = (
            pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in reader
        )
        return pa.RecordBatchReader.from_batches(schema, named)


@contextmanager
def answer_of(warehouse: Warehouse, sql: str) -> Iterator[Answer]:
    """Run a query over the published tables and yield its answer.

    Times are in UTC, and the query can read no other file. Raises `QueryError` for a
    query that DuckDB rejects, and `FileError` for a published file that cannot be read.
    """
    with confined(warehouse.tables) as connection, _refusals():
        yield _answer(connection, _one_statement(sql))


@contextmanager
def answer_of_raw(warehouse: Warehouse, sql: str) -> Iterator[Answer]:
    """Run a query over the raw files that it names, and yield its answer.

    A table is ``raw.<vendor>__<table>``, such as ``raw.zoom__voice_calls``; no vendor
    whose table is named is loaded meanwhile. Raises the errors of `answer_of`, and
    `ConfigError` for a table that is in no raw file.
    """
    stored = {name for name in vendors() if is_present(warehouse.raw(name))}
    with _refusals(), connect() as connection, ExitStack() as files:
        connection.execute("set TimeZone = 'UTC'; create schema raw")
        text = _one_statement(sql)
        tables = connection.get_table_names(text, qualified=True)
        for name in sorted(tables):
            if not name.startswith("raw."):
                raise ConfigError(
                    f"{name} is in no raw file; name a table as raw.VENDOR__TABLE, or "
                    "leave --raw out"
                )
        named = [name.removeprefix("raw.").partition("__")[0] for name in tables]
        for vendor in sorted({*named}):
            nearest(vendor, stored, Setting(None, f"raw.{vendor}__..."))
            path = files.enter_context(locked_raw_file(warehouse, vendor))
            files.enter_context(
                attached(connection, path, f'"{vendor}_file"', RAW_FILE)
            )
            views = connection.execute(query("raw/views"), [vendor]).fetchall()
            connection.execute("; ".join(view for (view,) in views))
        connection.execute("set enable_external_access = false")
        yield _answer(connection, text)


def write_parquet(answer: Answer, file: Path) -> int:
    """Write an answer into a Parquet file, and return the number of its rows.

    Only its owner can read it. A file that is there is replaced, once the new one is
    whole. Raises `QueryError` for a type that Parquet does not have, and `ConfigError`
    for a folder that is not there.
    """
    from pyarrow import parquet  # noqa: PLC0415 - no other form of an answer needs it

    if not file.absolute().parent.is_dir() or file.is_dir():
        raise ConfigError(f"--parquet {file}: name a file in a folder that is there")
    part, count = file.with_name(f"{file.name}.part"), 0
    try:
        batches = answer.batches()
        with private(), parquet.ParquetWriter(part, batches.schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
                count += batch.num_rows
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return count


def _answer(connection: duckdb.DuckDBPyConnection, text: str) -> Answer:
    found = connection.sql(text)
    if not isinstance(found, duckdb.DuckDBPyRelation):
        raise QueryError("this statement has no answer; give one SELECT")
    kinds = [str(kind).lower().partition("(")[0] for kind in found.types]
    numbers = frozenset(place for place, kind in enumerate(kinds) if kind in NUMBERS)
    return Answer(distinct(found.columns), numbers, connection, text)


def _one_statement(sql: str) -> str:
    # A locale without UTF-8 hands its bytes over as they are.
    text = sql.encode("utf-8", "surrogateescape").decode("utf-8")
    statements = duckdb.extract_statements(text)
    if not statements:
        raise QueryError("the query is empty; give one SELECT")
    if len(statements) > 1:
        raise QueryError(
            f"these are {len(statements)} statements; give one SELECT at a time"
        )
    return text


@contextmanager
def _refusals() -> Iterator[None]:
    """Raise what is wrong with a query, or with its values, as a `QueryError`."""
    try:
        yield
    except duckdb.Error as error:
        raise QueryError(str(error)) from None
    except UnicodeError:
        raise QueryError("the query is not UTF-8") from None
    except _VALUES as error:
        raise QueryError(
            f"the answer has a value that cannot be had here ({error}); cast it, "
            "as in: x::varchar"
        ) from None
