"""The functions that models call, on every connection of dbt."""

from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection

from transforms.runner.functions import register


class Plugin(BasePlugin):
    """What profiles.yml names."""

    def configure_connection(self, conn: DuckDBPyConnection) -> None:
        """Give a connection the functions of ``transforms/runner/functions.py``."""
        register(conn)
