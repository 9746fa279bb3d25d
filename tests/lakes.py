"""Real servers for a lake: Postgres of Debian, and one that speaks S3, on loopback."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import duckdb
import psycopg
import pytest
import requests
from comparing import contents, different
from conftest import VENDORS, House
from moto.server import ThreadedMotoServer
from patience import PATIENCE

from pipelines.warehouse.copying import copy_place
from pipelines.warehouse.lake import Lake, LakeStore
from pipelines.warehouse.ledger import next_load
from pipelines.warehouse.opening import RAW_FILE
from pipelines.warehouse.paths import Warehouse

PASSWORD = "canary-of-postgres"
BUCKET = "calls"
S3 = {
    "S3_KEY_ID": "canary-key",
    "S3_SECRET": "canary-s3-secret",
    "S3_REGION": "us-east-1",
}
SECRETS = (PASSWORD, S3["S3_SECRET"])


@dataclass(frozen=True)
class Postgres:
    """A server of its own, stopped at the end."""

    port: int
    folder: Path

    def catalog(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} dbname={database} user=lake"

    def execute(self, sql: str, database: str = "postgres") -> list[Any]:
        with psycopg.connect(
            self.catalog(database), password=PASSWORD, autocommit=True
        ) as session:
            found = session.execute(sql)
            return found.fetchall() if found.description else []


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Give a server; it refuses to run as root, so then its own user runs it."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not places:
        pytest.fail("Postgres is missing: apt-get install postgresql")
    binaries, user = places[-1].parent, "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="callhouse-postgres-"))
    who: dict[str, Any] = {}
    if user:
        shutil.chown(folder, user, user)
        who = {"user": user, "group": user, "extra_groups": []}
    secret = folder / "password"
    secret.write_text(PASSWORD)
    options = ["-U", "lake", "--auth=scram-sha-256", f"--pwfile={secret}"]
    command = [binaries / "initdb", "-D", folder / "data", *options, "--no-sync"]
    if user:
        shutil.chown(secret, user, user)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **who)
    port = free_port()
    settings = ["listen_addresses=127.0.0.1", "fsync=off", f"port={port}"]
    settings += [f"unix_socket_directories={folder}", "logging_collector=off"]
    server = subprocess.Popen(
        [binaries / "postgres", "-D", folder / "data"]
        + [part for one in settings for part in ("-c", one)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **who,
    )
    ready = [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    try:
        deadline = time.monotonic() + PATIENCE
        while subprocess.run(ready, check=False).returncode:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield Postgres(port, folder)
    finally:
        server.terminate()
        server.wait(PATIENCE)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Give the address of a server that speaks S3 and has one bucket."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    requests.put(f"{url}/{BUCKET}", timeout=PATIENCE).raise_for_status()
    yield url
    server.stop()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass(frozen=True)
class LakeHouse:
    """A database in Postgres and a place for data, as an operator has them."""

    postgres: Postgres
    database: str
    data: str
    folder: Path
    s3: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The section ``[warehouse]``, as variables."""
        own = {
            "KIND": "lake",
            "CATALOG": self.postgres.catalog(self.database),
            "PASSWORD": PASSWORD,
            "DATA": self.data,
            **self.s3,
        }
        return {f"CALLHOUSE__WAREHOUSE__{key}": value for key, value in own.items()}

    @property
    def store(self) -> LakeStore:
        own = {key.lower(): value for key, value in self.s3.items()}
        catalog = self.postgres.catalog(self.database)
        return LakeStore(catalog, self.data, PASSWORD, **own)

    def lake(self, name: str = "tables") -> Lake:
        return Lake(self.store, name, self.folder / "spill")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.lake().opened() as tables:
            tables.execute("set timezone = 'UTC'")
            return tables.execute(sql).fetchall()

    def snapshots(self) -> list[int]:
        return [
            number for (number,) in self.query("select snapshot_id from snapshots()")
        ]

    def copy_raw(self, house: House) -> None:
        """Bring the records and ledgers of a warehouse of files into the lake."""
        warehouse = Warehouse(house.folder / "warehouse")
        for vendor in VENDORS:
            place, into = warehouse.raw(vendor), self.lake(f"raw_{vendor}")
            with into.leased():
                copy_place(place, into, RAW_FILE, next_load=next_load(place))

    def in_lake(self, house: House) -> "InLake":
        """Give a warehouse in the same folder whose tables are in the lake."""
        environment = {**house.environment, **self.environment}
        return InLake(house.folder, house.sandbox, environment, self)


@dataclass(frozen=True)
class InLake(House):
    """A warehouse whose tables are in a lake."""

    place: LakeHouse

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.place.query(sql)


@contextmanager
def place_for_lakes(postgres: Postgres, folder: Path) -> Iterator[LakeHouse]:
    """Give a place for a lake with its data in a folder."""
    database = f"calls_{token_hex(4)}"
    postgres.execute(f"create database {database}")
    yield LakeHouse(postgres, database, str(folder / "lake"), folder)
    postgres.execute(f"drop database {database} with (force)")


@pytest.fixture
def lake_house(postgres: Postgres, tmp_path: Path) -> Iterator[LakeHouse]:
    """Give a place for a lake of one test."""
    with place_for_lakes(postgres, tmp_path) as place:
        yield place


@pytest.fixture
def s3_house(lake_house: LakeHouse, s3: str) -> LakeHouse:
    """Give a place for a lake with its data in S3."""
    data = f"s3://{BUCKET}/{lake_house.database}"
    return replace(lake_house, data=data, s3={**S3, "S3_URL": s3})


def differences_of(file: Path, lake: Lake) -> list[str]:
    """Compare all tables of a file and of a lake, row for row; name what differs."""
    with duckdb.connect(config=dict(lake.settings)) as connection:
        connection.execute("set timezone = 'UTC'")
        lake.attach(connection, "lake", read_only=True)
        connection.execute(f"attach '{file}' as file (read_only)")
        return different(*(contents(connection, name) for name in ("file", "lake")))
