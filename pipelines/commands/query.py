"""``callhouse query``: run an operator's SELECT over the published tables."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import duckdb

from pipelines.config.toml_file import ConfigError, Setting, nearest
from pipelines.load.loader import locked_raw_file
from pipelines.warehouse.opening import RAW_FILE, attached
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.published_queries import Row, rows_of_result, rows_of_sql
from pipelines.warehouse.queries import query
from transforms.runner.storage import connect


def rows_of_query(warehouse: Warehouse, sql: str) -> list[Row]:
    """Return the rows of a query, values by column.

    Raises `ConfigError` for a query that DuckDB rejects, or whose values Python cannot
    represent, and `FileError` for a published file that cannot be read.
    """
    with _refusals():
        return rows_of_sql(warehouse.published, _text(sql))


def rows_of_raw_query(warehouse: Warehouse, sql: str) -> list[Row]:
    """Return the rows of a query over the raw files that it names.

    A table is ``raw.<vendor>__<table>``, such as ``raw.zoom__voice_calls``; no vendor
    whose table is named is loaded meanwhile. Raises the errors of `rows_of_query`, and
    `ConfigError` for a table that is in no raw file.
    """
    stored = {path.stem for path in warehouse.raw_folder.glob("*.duckdb")}
    with _refusals(), connect() as connection, ExitStack() as files:
        connection.execute("set TimeZone = 'UTC'; create schema raw")
        text = _text(sql)
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
        return rows_of_result(connection.execute(text))


def _text(sql: str) -> str:
    # A locale without UTF-8 hands its bytes over as they are.
    text = sql.encode("utf-8", "surrogateescape").decode("utf-8")
    if not duckdb.extract_statements(text):
        raise ConfigError("the query is empty; give one SELECT")
    return text


@contextmanager
def _refusals() -> Iterator[None]:
    """Raise what is wrong with a query, or with its values, as a `ConfigError`."""
    try:
        yield
    except duckdb.Error as error:
        raise ConfigError(str(error)) from None
    except UnicodeError:
        raise ConfigError("the query is not UTF-8") from None
    except (OverflowError, ValueError) as error:
        raise ConfigError(
            f"the answer has a value that Python cannot have ({error}); cast it, "
            "as in: x::varchar"
        ) from None
