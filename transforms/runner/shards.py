"""Shards: the records to rebuild in parts, each of which a process can build alone.

A shard has all versions of its records, in all tables of a vendor, and all of each
rebuild group of which it has a record. So it is as if a load had changed these records
only, and the models of kind ``call_key`` give the rows that one build of all gives.
"""

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from socket import gethostname
from typing import Protocol
from uuid import uuid4

from duckdb import DuckDBPyConnection

from transforms.runner import inputs
from transforms.runner.graph import (
    OF_RECORDS,
    Graph,
    for_calls,
    is_raw,
    raw_table,
    reads,
)
from transforms.runner.inputs import Raw
from transforms.runner.model import Model
from transforms.runner.parsing import ModelError
from transforms.runner.statements import (
    quoted,
    select,
    statement,
    stored,
    temporary,
    united,
)
from transforms.runner.storage import Place, attach


class ShardError(Exception):
    """A shard could not be built, though nothing is wrong with its rows."""


@dataclass(frozen=True)
class ShardResult:
    """What was made of a shard."""

    number: int
    file: Path
    """It has the tables of kind ``call_key``, and no others."""
    seconds: float
    cpu_seconds: float


class Spread(Protocol):
    """Says where shards are built: `processes.Processes`, or `spark.Cluster`."""

    @property
    def side_by_side(self) -> int:
        """How many shards are built on one machine at the same time."""

    def __call__(
        self, work: Callable[[int], ShardResult], numbers: Sequence[int]
    ) -> Iterable[ShardResult]:
        """Do the work for each number, if need be again; return one result of each.

        Raises `ShardError` if a process ended again and again without a result, and
        otherwise what ``work`` raises.
        """


@dataclass(frozen=True)
class Shards:
    """How a build is split."""

    folder: Path
    """For the files of a build in shards, none but these. Every process must see it
    under this name. It is deleted before a build and after it."""
    spread: Spread
    size: int
    """Records of a shard. It may have fewer, and more where a rebuild group has more;
    0: builds are not split."""
    least: int = 2
    """From so many shards on a build is divided."""
    key: str = ""
    """An SQL expression over vendor, account, record_id and first_at, which is when the
    record began: all with one value are a shard. Without it the size says."""


@dataclass(frozen=True)
class Job:
    """What a process must know to build a shard; it is sent there."""

    graph: Graph
    raw_files: Mapping[str, Place]
    folder: Path
    given: tuple[str, ...]
    """Relations that are ready in the folder."""
    side_by_side: int

    def records(self, number: int) -> str:
        """Return the records of a shard, as a relation."""
        place = self.folder / "records" / f"shard={number}" / "*.parquet"
        return f"read_parquet({quoted(str(place))}, hive_partitioning = false)"

    def file(self, number: int) -> Path:
        """Return a new name for the file of a shard.

        A process that was taken for lost may still write to the one before.
        """
        return self.folder / f"{number}-{uuid4().hex}.duckdb"

    def input_file(self, name: str) -> str:
        """Return a given relation where it is stored."""
        return f"read_parquet({quoted(str(self.folder / f'{name}.parquet'))})"


def clean(folder: Path) -> None:
    """Delete the folder of a build in shards; one that was killed has left it.

    A process that was taken for lost may still write there, so what is left now is
    deleted later: no other build uses it.
    """
    shutil.rmtree(folder, ignore_errors=True)


def plan(
    raw: Raw, places: Mapping[str, str], shards: Shards, raw_files: Mapping[str, Place]
) -> tuple[Job, tuple[int, ...]] | None:
    """Divide the records to rebuild; return the numbers of the shards.

    ``places`` says where relations are that are not stored tables. None: they are too
    few to be divided. Raises `ModelError` for a key that divides what models compute
    together, and for models that cannot be built in shards.
    """
    execute = raw.connection.execute
    ((count,),) = execute(statement("shards/count")).fetchall()
    if not shards.size or count < shards.least * shards.size:
        return None
    shards.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = shards.folder / uuid4().hex
    folder.mkdir(mode=0o700)
    groups = _find_groups(raw, places)
    marked = select("marked", stored=raw.versions(raw.graph.records))
    key = shards.key or "null"
    how = "by_key" if shards.key else "by_size"
    execute(statement("shards/spans", marked=marked))
    execute(statement(f"shards/{how}", size=str(shards.size), key=key))
    _refuse_divided(raw, groups, shards.key)
    numbers = [one for (one,) in execute(statement("shards/numbers")).fetchall()]
    job = Job(
        raw.graph,
        {vendor: _anywhere(raw_files[vendor]) for vendor in raw.vendors},
        folder,
        _given(raw.graph),
        min(shards.spread.side_by_side, len(numbers)),
    )
    records = quoted(str(folder / "records"))
    how = "format parquet, partition_by (shard)"
    execute(f'copy (from temp."run.shards") to {records} ({how})')
    execute(statement("shards/forget"))
    for name in job.given:
        _write_input(raw.connection, job, name, places.get(name, name))
    return job, tuple(numbers)


def _find_groups(raw: Raw, places: Mapping[str, str]) -> list[str]:
    """Find the groups of records that must be in one shard; return who says so.

    Groups that share a record become one.
    """
    execute = raw.connection.execute
    declared: list[str] = []
    execute(statement("shards/groups"))
    for text, records in _declared(raw, places):
        parts = {"number": str(len(declared)), "records": records}
        execute(statement("shards/find_groups", **parts))
        declared.append(text)
    execute(statement("shards/labels"))
    joined = statement("shards/join_groups")
    while execute(joined).fetchall() != [(0,)]:
        pass
    return declared


def _declared(raw: Raw, places: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield what declares groups, and the records with the value of their group."""
    for model in raw.graph.models:
        tables = set(map(raw_table, filter(is_raw, model.references)))
        for vendor, table in sorted(tables & raw.graph.records & raw.stored):
            for expression in model.rebuild_groups:
                yield (
                    f"@rebuild_group {expression} in {model.file}",
                    select(
                        "shards/grouped",
                        vendor=quoted(vendor),
                        expression=expression,
                        table=stored(vendor, table),
                    ),
                )
    for model in raw.graph.shards:
        yield model.file, select("shards/whole", accounts=f"({model.bound(places)}\n)")


def _refuse_divided(raw: Raw, declared: Sequence[str], key: str) -> None:
    """Refuse shards of which two have records of one group."""
    found = raw.connection.execute(statement("shards/divided")).fetchone()
    if found:
        number, vendor, account = found
        raise ModelError(
            f"shards by {key or 'size'} divide records of {vendor} {account} that are "
            f"computed together ({declared[number]}), and would have wrong rows"
        )


def _given(graph: Graph) -> tuple[str, ...]:
    """Return the relations that a shard reads and neither makes nor finds in raw files.

    Raises `ModelError` if one of them is made of all calls.
    """
    own = for_calls(graph)
    made = {one.table for one in own}
    for model in own:
        if model.kind not in {"transient", "union", "call_key"}:
            raise ModelError(
                f"{model.file} is made of all calls, and read for a table of kind "
                "call_key, so the models cannot be built in shards"
            )
    needed = set[str]().union(*(reads(graph, model) for model in own)) - made
    of_records = {f"raw.{vendor}__{table}" for vendor, table in graph.records}
    of_records |= {f"raw.{vendor}__{table}" for vendor, table in graph.registers}
    return tuple(sorted(needed - of_records - OF_RECORDS))


def _write_input(
    connection: DuckDBPyConnection, job: Job, name: str, place: str
) -> None:
    """Write a relation into the folder of a build in shards, with the types it has."""
    file = quoted(str(job.folder / f"{name}.parquet"))
    connection.execute(f"copy (from {place}) to {file} (format parquet)")
    before = connection.sql(f"from {place}")
    after = connection.sql(f"from {job.input_file(name)}")
    if (before.columns, before.types) != (after.columns, after.types):
        raise ModelError(
            f"{name} has a type that Parquet has not, so a shard cannot be given it"
        )


def _anywhere(place: Place) -> Place:
    """Return a place as a process finds it that runs in another folder."""
    return place.absolute() if isinstance(place, Path) else place


def take_records(raw: Raw, job: Job, number: int) -> Raw:
    """Mark the records of a shard; return the raw files within their bounds.

    Raises `ShardError` if not all their versions can be read here: a machine may see
    another state of a file, or none.
    """
    inputs.mark_asked(raw, f"from {job.records(number)}")
    sql = statement("shards/bounds", records=job.records(number))
    bounds = {
        vendor: f"event_at between timestamptz '{low}' and timestamptz '{high}'"
        for vendor, low, high in raw.connection.execute(sql).fetchall()
    }
    raw = replace(raw, bounds=bounds)
    marked = select("marked", stored=raw.versions(raw.graph.records))
    sql = statement("shards/versions", records=job.records(number), marked=marked)
    ((planned, found),) = raw.connection.execute(sql).fetchall()
    if planned != found:
        raise ShardError(
            f"shard {number} has {planned} versions of records, and {gethostname()} "
            f"reads {found} of them in {', '.join(map(str, job.raw_files.values()))}; "
            "nothing was changed"
        )
    return raw


def take_inputs(connection: DuckDBPyConnection, job: Job) -> dict[str, str]:
    """Make the relations that a shard is given; return where each is."""
    for name in job.given:
        file = job.input_file(name)
        connection.execute(f'create temp table "{name}" as from {file}')
    return {name: temporary(name) for name in job.given}


def put_together(
    connection: DuckDBPyConnection, models: Iterable[Model], files: Sequence[Path]
) -> dict[str, str]:
    """Attach the files of all shards; return each table of them as one relation."""
    names = [f"shard_{number}" for number in range(len(files))]
    for name, file in zip(names, files, strict=True):
        attach(connection, file, name, read_only=True)
    return {
        model.table: united([f"{name}.{model.table}" for name in names])
        for model in models
        if model.kind == "call_key"
    }


def refuse_missing(numbers: Collection[int], results: Iterable[ShardResult]) -> None:
    """Raise `ShardError` unless there is one result of each shard."""
    found = sorted(one.number for one in results)
    if found != sorted(numbers):
        raise ShardError(
            f"of {len(numbers)} shards {len(found)} have a result, so nothing was "
            "changed"
        )
