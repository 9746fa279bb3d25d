"""A lake: tables as Parquet files, in a folder or in S3, and their catalog in Postgres.

DuckLake keeps both. This module alone knows how; everything else has a `Place`, which
is a file or a lake. The catalogs are schemas of one Postgres database, a lake each: one
for the built tables and one for each vendor's records. So no two processes commit to
the same lake, and who reads one needs no right to the other.

A reader sees the tables of one commit, for a commit is one row in Postgres. A build is
one commit, so nothing has to be published. Files that no snapshot has any more are
deleted later, because a reader may have them open.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb

from pipelines.warehouse.copying import copy_all
from pipelines.warehouse.opening import FileError
from pipelines.warehouse.queries import query
from transforms.runner.statements import listed, quoted
from transforms.runner.storage import connect

TOKENS: dict[tuple[str, str], str] = {}
"""The leases that this process has: by catalog and lake, the token of each."""
_FENCED: set[tuple[str, str]] = set()
"""Lakes, by catalog and name, that are known to be fenced."""
psycopg: Any = import_module("psycopg") if find_spec("psycopg") else None
"""Of the extra ``lake``; None: it is not installed."""
EXTENSIONS = ("postgres_scanner", "ducklake")
S3 = "s3://"
SIGN_IN = "callhouse"
"""Under this name DuckDB has what it needs to sign in."""
GRACE = "1 hour"
"""For so long a file stays that no snapshot has any more: a reader may need it."""
LONGEST = "1 day"
"""A file that is older and in no snapshot is not one that is being written."""
SMALL = 16 << 20
"""Bytes of a file that is put together with others: a large one would be written again
each time."""
DELETED = 0.3
"""The share of deleted rows from which on a file is written anew without them."""
WAITING = 1800.0
"""Seconds to wait for a lease, for work that no command has announced."""
LONGEST_REASON = 300
"""Characters of what Postgres says is wrong."""
CONNECTING = 10
"""Seconds to wait for Postgres to answer."""
SILENCE = "20s"
"""After so long without a sign of life Postgres ends a session that others wait for."""


def connection_keys(catalog: str) -> Mapping[str, str] | None:
    """Return what libpq reads in a text, by its keywords; None: it cannot be read."""
    LakeStore.refuse_missing()
    try:
        found = psycopg.conninfo.conninfo_to_dict(catalog)
    except psycopg.Error:
        return None
    return {key: str(value) for key, value in found.items()}


@dataclass(frozen=True)
class LakeStore:
    """Where lakes are: a Postgres database, and a folder or a bucket."""

    catalog: str
    """Postgres, as libpq reads it, without the password."""
    data: str
    """A folder, or s3://bucket/prefix."""
    password: str = field(default="", repr=False)
    s3_key_id: str = field(default="", repr=False)
    s3_secret: str = field(default="", repr=False)
    s3_region: str = ""
    s3_url: str = ""
    """Of a server that is not Amazon's; "": Amazon's."""

    @contextmanager
    def session(self, *, silence: str | None = None) -> Iterator[Any]:
        """Connect to Postgres, each statement a transaction; raises `FileError`.

        Postgres ends a session that is silent for longer than ``silence``.
        """
        self.refuse_missing()
        options: dict[str, Any] = {"connect_timeout": CONNECTING, "autocommit": True}
        try:
            with psycopg.connect(
                self._catalog_with(silence and f"-c idle_session_timeout={silence}"),
                password=self.password or None,
                **options,
            ) as session:
                yield session
        except psycopg.Error as error:
            raise FileError(self.trouble(error)) from None

    def attachable(self, lease: str, *, is_to_make: bool = False) -> str:
        """Return the catalog for DuckDB, with the token of a lease if there is one.

        ``is_to_make`` is for a short transaction: Postgres ends one that is silent.
        """
        options = []
        if token := TOKENS.get((self.catalog, lease)):
            options.append(f"-c callhouse.token={token}")
        if is_to_make:
            options.append(f"-c idle_in_transaction_session_timeout={SILENCE}")
        return self._catalog_with(" ".join(options) or None)

    def _catalog_with(self, option: str | None) -> str:
        """Return the catalog with one more option of the session."""
        if option is None:
            return self.catalog
        given = (connection_keys(self.catalog) or {}).get("options", "")
        text: str = psycopg.conninfo.make_conninfo(
            self.catalog, options=f"{given} {option}".strip()
        )
        return text

    def prepare(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Load the extensions, and give a DuckDB what it needs to sign in."""
        self.refuse_missing()
        is_s3 = self.data.startswith(S3)
        for name in (*EXTENSIONS, *(["httpfs"] if is_s3 else ())):
            connection.execute(f"load {quoted(str(_extension(name)))}")
        # DuckDB shows the text of a catalog in errors, and a secret nowhere.
        secret = f"create secret if not exists {SIGN_IN}"
        connection.execute(
            f"{secret} (type postgres, password {quoted(self.password)})"
        )
        if is_s3:
            options = ", ".join(f"{key} {quoted(own)}" for key, own in self._s3.items())
            connection.execute(f"{secret}_s3 (type s3, {options})")

    @property
    def _s3(self) -> Mapping[str, str]:
        parts = urlsplit(self.s3_url)
        server = {
            "endpoint": parts.netloc + parts.path,
            "url_style": "path",
            "use_ssl": str(parts.scheme == "https").lower(),
        }
        found = {
            "key_id": self.s3_key_id,
            "secret": self.s3_secret,
            "region": self.s3_region,
            "scope": self.data,
            **(server if self.s3_url else {}),
        }
        return {key: value for key, value in found.items() if value}

    @staticmethod
    def refuse_missing() -> None:
        """Raise `FileError` if what reads a lake is not installed."""
        if psycopg is None or not all(_extension(name) for name in EXTENSIONS):
            raise FileError(
                "a lake is configured in [warehouse], and the packages for it are not "
                f"installed, or not for DuckDB {duckdb.__version__}; install "
                "callhouse[lake]"
            )

    def trouble(self, error: Exception) -> str:
        """Return why a lake cannot be used, without secrets or values."""
        text = type(error).__name__
        if isinstance(error, (duckdb.OperationalError, psycopg.Error)):
            # What stands before it may be a whole statement, values and all.
            _, _, reason = " ".join(str(error).split()).rpartition('": ')
            text = reason[:LONGEST_REASON] or text
        for secret in filter(None, (self.password, self.s3_secret)):
            text = text.replace(secret, "***")
        return (
            f"the lake with its catalog at {self.catalog} and its data in {self.data} "
            f"cannot be used: {text}"
        )


@dataclass(frozen=True)
class Lake:
    """One lake of a store."""

    store: LakeStore
    name: str
    work_folder: Path
    """Where DuckDB writes what does not fit into memory."""
    version: int | None = None
    """The snapshot to read; None: the newest."""

    def __str__(self) -> str:
        """Return it as sentences name it."""
        version = "" if self.version is None else f", snapshot {self.version}"
        return f"the lake {self.name} in {self.store.data}{version}"

    @property
    def catalog(self) -> str:
        """The schema of Postgres that has its catalog."""
        return f"callhouse_{self.name}"

    @property
    def data(self) -> str:
        """The folder of its files, of which no other lake has any."""
        return f"{self.store.data.rstrip('/')}/{self.name}/"

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of a DuckDB that is to attach it.

        The extensions are files of packages that pip installed by their hashes, as it
        did DuckDB itself. DuckDB would check their signatures as well, each time, for a
        quarter of a CPU second each.
        """
        return {
            "allow_unsigned_extensions": True,
            "temp_directory": str(self.work_folder),
        }

    def exists(self) -> bool:
        """Return True if it has tables. Raises `FileError` if that cannot be known."""
        with self.store.session() as session:
            if not self._is_made(session):
                return False
            ((tables,),) = session.execute(self._sql("tables")).fetchall()
            return bool(tables)

    def _is_made(self, session: Any) -> bool:  # noqa: ANN401 - psycopg may be missing
        found = session.execute(self._sql("catalog")).fetchone()
        return bool(found) and found[0] is not None

    def attach(
        self, connection: duckdb.DuckDBPyConnection, name: str, *, read_only: bool
    ) -> None:
        """Attach it as a database; with ``read_only`` it must be there.

        Raises `FileError` if that is not possible.
        """
        self.store.prepare(connection)
        if not read_only and (self.store.catalog, self.name) not in _FENCED:
            self._make(connection)
        self._attach(connection, name, read_only=read_only)
        if not read_only:
            self._fence()

    def _make(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make an empty lake if there is none.

        Who makes the same one waits for that transaction. So it is one of its own,
        which Postgres ends if its process is stopped or cut off.
        """
        if not self.data.startswith(S3):
            self._make_folder()
        with self.store.session() as session:
            if self._is_made(session):
                return
        self._attach(connection, "made", is_to_make=True)
        connection.execute("detach made")

    def _attach(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        *,
        read_only: bool = False,
        is_to_make: bool = False,
    ) -> None:
        options = [
            f"metadata_schema {quoted(self.catalog)}",
            f"meta_secret {quoted(SIGN_IN)}",
            f"data_path {quoted(self.data)}",
            # Rows in Postgres would be in its log, too, which nobody can erase.
            "data_inlining_row_limit 0",
            *(["read_only"] if read_only else []),
            *([f"snapshot_version {self.version}"] if self.version is not None else []),
        ]
        catalog = self.store.attachable(self.name, is_to_make=is_to_make)
        place = quoted(f"ducklake:postgres:{catalog}")
        try:
            connection.execute(f"attach {place} as {name} ({', '.join(options)})")
        except duckdb.Error as error:
            if (self.store.catalog, self.name) in TOKENS:
                self.refuse_lost()
            raise FileError(self.store.trouble(error)) from None

    def _make_folder(self) -> None:
        try:
            Path(self.data).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            sentence = f"{self} cannot be used: {error.filename}: {error.strerror}"
            raise FileError(sentence) from None

    def _fence(self) -> None:
        """Let Postgres take a commit to this lake with its lease alone, and no text.

        DuckLake would store the least and the greatest value of each column there.
        """
        if (self.store.catalog, self.name) in _FENCED:
            return
        from pipelines.warehouse.lease import make  # noqa: PLC0415 - it needs this

        with self.store.session() as session:
            make(session)
            if session.execute(self._sql("fenced")).fetchone() is None:
                session.execute(self._sql("without_texts"))
                session.execute(self._sql("fence", lease=self.name))
        _FENCED.add((self.store.catalog, self.name))

    def refuse_lost(self) -> None:
        """Raise `FileError` if this process has not, or no longer, the lease."""
        token = TOKENS.get((self.store.catalog, self.name))
        with self.store.session() as session:
            if not session.execute(query("lease/valid"), [self.name, token]).fetchone():
                raise FileError(
                    f"the lease of {self} was lost, since this process was silent for "
                    "too long, as one that is stopped or cut off; what came after that "
                    "is not stored, and the next run goes on"
                )

    @contextmanager
    def leased(self, timeout: float = WAITING) -> Iterator[None]:
        """Have the lease of this lake, which this process may have already.

        Raises `LockedError` if another one has it for longer than ``timeout`` seconds.
        """
        if (self.store.catalog, self.name) in TOKENS:
            yield
            return
        from pipelines.warehouse.lease import hold  # noqa: PLC0415 - it needs this

        with hold(self.store, self.name, f"work on {self}", timeout):
            yield

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open it to read: all queries see the tables of one commit.

        They may read the files of the lake even where no other file can be read.
        """
        with connect(settings=self.settings) as connection:
            self.attach(connection, "calls", read_only=True)
            connection.execute(f"set allowed_directories = [{quoted(self.data)}]")
            connection.execute("use calls")
            connection.begin()
            yield connection

    def trouble(self, error: Exception) -> str:
        """Return why it cannot be used, as a sentence."""
        return self.store.trouble(error)

    def next_load(self) -> int:
        """Return a number for the next load into it, greater than all before."""
        with self.store.session() as session:
            session.execute(self._sql("make_loads"))
            ((number,),) = session.execute(self._sql("next_load")).fetchall()
            return int(number)

    def start_loads(self, number: int) -> None:
        """Let the next load have at least this number."""
        with self.store.session() as session:
            session.execute(self._sql("make_loads"))
            session.execute(self._sql("start_loads", next_load=number))

    def sign(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        """Mark the open transaction as one whose tables can be gone back to.

        ``name`` is under which the lake is attached.
        """
        connection.execute(query("lake/sign").format(name=name, message="tables"))

    def versions(self) -> Sequence[int]:
        """Return the snapshots that can be gone back to, the newest first."""
        with self._attached() as connection:
            return [number for number, is_signed in _snapshots(connection) if is_signed]

    def at(self, version: int) -> "Lake":
        """Return the lake as it was at a snapshot."""
        return replace(self, version=version)

    def go_back(self, version: int) -> None:
        """Commit the tables of an older snapshot as the newest ones.

        Raises `FileError`; the newest are then what they were.
        """
        with self.leased(), self._attached() as connection:
            self._write_anew(connection, version)

    def clean(self, keep: int) -> None:
        """Forget snapshots, put small files together, and delete what is not needed.

        The newest snapshot stays, and the last ``keep`` before it that can be gone back
        to. Raises `FileError`, and `LockedError` at once if another process has the
        lease, which cleans when it is done.
        """
        with self.leased(timeout=0), self._attached() as connection:
            _expire(connection, keep)
            parts = {"grace": GRACE, "longest": LONGEST, "share": str(DELETED)}
            sql = query("lake/clean").format(name="lake", small=SMALL, **parts)
            connection.execute(sql)

    def forget(self) -> None:
        """Free the lake of every value that its newest tables do not have.

        All tables are written anew. Older snapshots and their files are deleted at
        once: who reads them meanwhile gets an error. Postgres has no text of a record,
        see `_fence`. Raises `FileError`.
        """
        with self.leased(), self._attached() as connection:
            self._write_anew(connection, _snapshots(connection)[0][0])
            _expire(connection, 0)
            connection.execute(query("lake/clean_all").format(name="lake"))

    def search(self, pattern: str) -> int:
        """Search every value of every table; return how many files there are.

        Raises `FileError` if it is found, and for a file that no table has: what is in
        that is not known.
        """
        with self._attached() as connection:
            connection.execute("set variable pattern = $1", [pattern])
            sql = query("lake/found").format(source="lake")
            ((statement,),) = connection.execute(sql).fetchall()
            rows = connection.execute(statement).fetchall()
            if places := [place for place, count in rows if count]:
                raise FileError(f"it is still in {', '.join(places)} of {self}")
            sql = query("lake/files").format(name="lake")
            ((statement,),) = connection.execute(sql).fetchall()
            found = {file for (file,) in connection.execute(statement).fetchall()}
            files = listed(found - {None})
            sql = query("lake/strays").format(data=self.data, files=files)
            if strays := connection.execute(sql).fetchall():
                raise FileError(f"{strays[0][0]} is in no table of {self}; delete it")
        return len(found - {None})

    def _write_anew(self, connection: duckdb.DuckDBPyConnection, version: int) -> None:
        self.at(version).attach(connection, "past", read_only=True)
        connection.begin()
        copy_all(connection, "past", "lake")
        self.sign(connection, "lake")
        connection.commit()
        connection.execute("detach past")

    @contextmanager
    def _attached(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with connect(settings=self.settings) as connection:
            self.attach(connection, "lake", read_only=False)
            try:
                yield connection
            except duckdb.Error as error:
                raise FileError(self.store.trouble(error)) from None

    def _sql(self, name: str, **parts: object) -> str:
        return query(f"lake/{name}").format(catalog=self.catalog, **parts)


def _expire(connection: duckdb.DuckDBPyConnection, keep: int) -> None:
    """Forget the snapshots except those that `Lake.clean` names."""
    found = _snapshots(connection)
    signed = [number for number, is_signed in found if is_signed]
    kept = {found[0][0], *signed[: keep + 1]}
    if old := [str(number) for number, _ in found if number not in kept]:
        parts = {"name": "lake", "versions": ", ".join(old)}
        connection.execute(query("lake/expire").format(**parts))


def _snapshots(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, bool]]:
    sql = query("lake/snapshots").format(name="lake")
    return connection.execute(sql).fetchall()


def _extension(name: str) -> Path | None:
    """Return the file of an extension, of the version of the installed DuckDB."""
    found = find_spec(f"duckdb_extension_{name}")
    if found is None or found.origin is None:
        return None
    own = f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"
    path = Path(found.origin).parent / own
    return path if path.exists() else None
