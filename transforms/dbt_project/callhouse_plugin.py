"""The functions that models call, on every connection of dbt."""

from callhouse_numbers import register
from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection


class Plugin(BasePlugin):
    """What profiles.yml names."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Give a connection the function of Callhouse's ``transforms/numbers.py``."""
        register(conn)
