"""``callhouse query``: run an operator's SELECT over the published tables."""

import duckdb

from pipelines.config.toml_file import ConfigError
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.published_queries import Row, rows_of_sql


def rows_of_query(warehouse: Warehouse, sql: str) -> list[Row]:
    """Return the rows of a query, values by column.

    Raises `ConfigError` for a query that DuckDB rejects, or whose values Python cannot
    represent, and `FileError` for a published file that cannot be read.
    """
    try:
        # A locale without UTF-8 hands its bytes over as they are.
        sql = sql.encode("utf-8", "surrogateescape").decode("utf-8")
        if not duckdb.extract_statements(sql):
            raise ConfigError("the query is empty; give one SELECT")
        return rows_of_sql(warehouse.published, sql)
    except duckdb.Error as error:
        raise ConfigError(str(error)) from None
    except UnicodeError:
        raise ConfigError("the query is not UTF-8") from None
    except (OverflowError, ValueError) as error:
        raise ConfigError(
            f"the answer has a value that Python cannot have ({error}); cast it, "
            "as in: x::varchar"
        ) from None
