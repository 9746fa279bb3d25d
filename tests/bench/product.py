"""Callhouse as the bench runs it: in an empty folder, against the bench's server."""

import shutil
import sys
from datetime import datetime
from functools import cache
from pathlib import Path

import duckdb
from bench.records import ALIAS, NOW, SEED
from bench.tree import Cost, measured
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pipelines.sandbox.credentials import environment, invent

CALLHOUSE = Path(sys.executable).with_name("callhouse")


@cache
def _key() -> str:
    made = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    return made.private_bytes(*form, serialization.NoEncryption()).decode()


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Product:
    """One warehouse, and the commands that are run on it."""

    def __init__(
        self, folder: Path, vendor: str, url: str, start: datetime, **settings: str
    ) -> None:
        """Configure a vendor that is at ``url``; history begins at ``start``."""
        self.folder = folder
        self.vendor = vendor
        variables = environment(url, invent(SEED, (ALIAS,)), _key())
        mine = f"CALLHOUSE__SOURCES__{vendor.upper()}__"
        self.environment = {
            **{name: text for name, text in variables.items() if name.startswith(mine)},
            "CALLHOUSE__START": f"{start:%Y-%m-%d}",
            "CALLHOUSE__WAREHOUSE": str(folder / "warehouse"),
            "CALLHOUSE__REPORT__ENABLED": "false",
            **{f"{mine}{name}": text for name, text in settings.items()},
        }

    def emptied(self) -> "Product":
        """Delete the warehouse, so that the next command begins a new one."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        return self

    def run(self, *arguments: str, now: datetime = NOW) -> Cost:
        """Run a command that takes ``--now``, and return what it took."""
        command = (CALLHOUSE, *arguments, "--now", stamp(now))
        return measured(command, self.environment, self.folder)

    def load(self, now: datetime = NOW) -> Cost:
        return self.run("load", "--no-audit", "--quiet", now=now)

    def stored(self, table: str) -> int:
        """Return the number of records in a table of the raw file."""
        with duckdb.connect(str(self.raw), read_only=True) as file:
            return int(file.table(f"raw.{table}").count("*").fetchall()[0][0])

    @property
    def raw(self) -> Path:
        return self.folder / "warehouse" / "raw" / f"{self.vendor}.duckdb"

    @property
    def published(self) -> Path:
        return self.folder / "warehouse" / "calls.duckdb"

    def calls(self) -> int:
        """Return the number of calls that are published."""
        with duckdb.connect(str(self.published), read_only=True) as file:
            return int(file.table("fact_calls").count("*").fetchall()[0][0])
