"""All models of a folder, in the order in which they can run."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from transforms.runner.model import NAME, QUERIES, Model, read_model
from transforms.runner.parsing import ModelError, Reference, nearest

DELETED = "inputs.deleted"
"""The records to rebuild that their vendor no longer lists."""
ERASED = "inputs.erased"
"""The records to rebuild that were erased with ``callhouse erase``."""
VERSIONS = "inputs.versions"
"""The versions of the records to rebuild of all vendors, with the name of the table."""
TOMBSTONES = "inputs.tombstones"
"""When records to rebuild, of all vendors, were found to be deleted, each time."""
REBUILD = "inputs.rebuild"
"""The versions of the records to rebuild that are known so far."""
OF_RECORDS = frozenset({DELETED, ERASED, VERSIONS, TOMBSTONES})
"""What is made of the records to rebuild of all vendors."""
LEDGERS = frozenset(
    {"raw.load_windows", "raw.quarantine", "raw.absences", "inputs.loads"}
    | {*OF_RECORDS, REBUILD}
)
"""Tables of every raw file, seen as one table with a ``vendor`` column."""
READS = frozenset({"raw.load_windows", "inputs.loads"})
"""Of them those that have no record in them."""
CALLS = "main.fact_calls"
"""Its call dates say which days an incremental mart computes again."""


@dataclass(frozen=True)
class Graph:
    """Models that fit together."""

    models: tuple[Model, ...]
    """Each after all that it reads."""
    checks: tuple[Model, ...]
    rebuilds: tuple[Model, ...]
    shards: tuple[Model, ...]
    """What says of which accounts all calls must be in one shard."""
    unions: Mapping[str, tuple[Model, ...]]
    """``staging.calls``, a union, and the ``staging.<vendor>__calls`` it unites."""
    digest: str
    """Of every byte of every file, seeds included."""
    seeds: tuple[Path, ...]
    """CSV files beside the folder of models: the tables ``seeds.<name>``."""

    @cached_property
    def records(self) -> frozenset[tuple[str, str]]:
        """Vendor and table of every raw input that holds calls."""
        return _inputs(self.models) - self.registers

    @cached_property
    def registers(self) -> frozenset[tuple[str, str]]:
        """Vendor and table of every raw input read by a model with ``@reference``."""
        return _inputs(one for one in self.models if one.is_reference)

    @cached_property
    def of_calls(self) -> Mapping[str, frozenset[str]]:
        """By vendor, its models that are empty while none of its calls is to rebuild.

        They are made of its record tables, and read by one another and by unions alone.
        """
        made = {f"raw.{vendor}__{table}" for vendor, table in self.records}
        found: dict[str, str] = {}
        for model in self.models:
            vendor, is_vendors, _ = model.name.partition("__")
            reads = {one.name for one in model.references}
            if model.schema == "staging" and is_vendors and reads & {*made, *found}:
                found[model.table] = vendor
        others = [*self.models, *self.checks, *self.rebuilds]
        while read_elsewhere := {
            one.name
            for model in others
            if model.table not in found
            for one in model.references
        } & {*found}:
            found = {one: found[one] for one in found if one not in read_elsewhere}
        return {
            vendor: frozenset(one for one, whose in found.items() if whose == vendor)
            for vendor in found.values()
        }


def read_graph(root: Path, config: Collection[str]) -> Graph:
    """Read every model below ``root``; a ModelError says what does not fit.

    ``config`` names the tables ``config.<name>`` that a build has.
    """
    paths = sorted(root.rglob("*.sql"))
    seeds = sorted((root.parent / "seeds").glob("*.csv"))
    files = [read_model(path, root) for path in paths]
    digest = hashlib.sha256()
    for path in (*paths, *seeds):
        text = path.read_bytes()
        digest.update(f"{path.name} {len(text)}\n".encode() + text)
    models = _by_table(one for one in files if one.kind not in QUERIES)
    unions = _unions(models)
    known = {*models, *LEDGERS, *(f"config.{name}" for name in config)}
    known |= {f"seeds.{path.stem}" for path in seeds}
    for model in files:
        _refuse_unknown(model, frozenset(known))
    ordered = _ordered(models, unions)
    graph = Graph(
        models=ordered,
        checks=tuple(one for one in files if one.kind == "check"),
        rebuilds=tuple(one for one in files if one.kind == "rebuild"),
        shards=tuple(one for one in files if one.kind == "shard"),
        unions=unions,
        digest=digest.hexdigest(),
        seeds=tuple(seeds),
    )
    _refuse_half_seen(graph)
    _refuse_untimely(graph)
    return graph


def lint(root: Path) -> list[str]:
    """Return what is wrong with the files of ``root``, one sentence each."""
    found: list[str] = []
    for path in sorted(root.rglob("*.sql")):
        try:
            model = read_model(path, root)
        except ModelError as error:
            found.append(str(error))
            continue
        found += _undescribed(model)
    return found


def _undescribed(model: Model) -> Iterator[str]:
    """Yield what the header leaves open of a table that somebody may query."""
    if not model.is_stored:
        return
    never = {*model.key, *model.not_null} - {*model.nullable}
    described = {column.name: column for column in model.columns}
    for name in model.selected:
        if name not in described:
            yield f"{model.file}: say what {name} is, '-- @column {name}: ...'"
        elif name in never and described[name].null:
            yield f"{model.file}: {name} is never NULL, so drop its 'NULL = '"
        elif name not in never and not described[name].null:
            yield f"{model.file}: say what NULL means in {name}, or '-- @not_null'"


def is_raw(found: Reference) -> bool:
    """Return True if it is a raw input, ``raw.<vendor>__<table>``."""
    return found.name.startswith("raw.") and found.name not in LEDGERS


def raw_table(found: Reference) -> tuple[str, str]:
    """Return the vendor and the table of a raw input."""
    vendor, _, table = found.name.removeprefix("raw.").partition("__")
    return vendor, table


def feeds_calls(graph: Graph, model: Model) -> bool:
    """Return True if a table that has rows of calls, or is of days, is made of it.

    All other tables are computed whole by every build.
    """
    made = {model.table}
    for one in (*graph.models, *graph.rebuilds):
        reads = {found.name for found in one.references}
        reads |= {part.table for part in graph.unions.get(one.table, ())}
        if reads & made:
            made.add(one.table)
            if one.kind in {"call_key", "call_date"} or one in graph.rebuilds:
                return True
    return False


def config_kept(graph: Graph) -> frozenset[str]:
    """Return the ``config`` tables that rows kept from earlier builds depend on."""
    return frozenset(
        found.name.removeprefix("config.")
        for model in graph.models
        if model.kind != "table"
        for found in model.references
        if found.name.startswith("config.")
    )


def rebuilds_in_turn(graph: Graph) -> list[Model]:
    """Return every ``*.rebuild.sql``; those that read what to rebuild come last.

    They see in ``inputs.rebuild`` what the new loads and the others added.
    """
    return sorted(
        graph.rebuilds,
        key=lambda model: any(one.name == REBUILD for one in model.references),
    )


def before_records(graph: Graph) -> tuple[Model, ...]:
    """Return what is made of ``config``, ``seeds`` and the ledgers of reads alone.

    It is made before records are marked, so that a ``*.rebuild.sql`` can compare what
    it has now with what calls were computed with.
    """
    found: dict[str, Model] = {}
    for model in graph.models:
        if model.kind in {"table", "transient"} and all(
            one.name in {*found, *READS} or one.name.startswith(("config.", "seeds."))
            for one in model.references
        ):
            found[model.table] = model
    return tuple(found.values())


def for_calls(graph: Graph) -> tuple[Model, ...]:
    """Return what a shard makes: the models of kind call_key and all that they read.

    What `before_records` returns is not among them, for a shard is given it.
    """
    calls = [one for one in graph.models if one.kind == "call_key"]
    first = {one.table for one in before_records(graph)}
    needed = read_by(graph, calls) - first
    return tuple(one for one in graph.models if one.table in needed)


def beside_calls(graph: Graph) -> tuple[Model, ...]:
    """Return what is left when shards have made all models of kind call_key.

    These are among it, for they are put together.
    """
    made = {one.table for one in for_calls(graph)}
    others = [one for one in graph.models if one.table not in made]
    calls = {one.table for one in graph.models if one.kind == "call_key"}
    needed = read_by(graph, [*others, *graph.checks], but=calls) | calls
    return tuple(one for one in graph.models if one.table in needed)


def read_by(
    graph: Graph, models: Iterable[Model], but: Collection[str] = ()
) -> set[str]:
    """Return the tables of ``models`` and all that are read for them.

    What is read for those of ``but`` is left out.
    """
    by_table = {one.table: one for one in graph.models}
    found: set[str] = set()
    to_read = [*models]
    while to_read:
        model = to_read.pop()
        if model.table in found or model.table in but:
            continue
        found.add(model.table)
        names = reads(graph, model)
        to_read += (by_table[name] for name in names if name in by_table)
    return found


def reads(graph: Graph, model: Model) -> set[str]:
    """Return what a model reads; a union reads its parts."""
    parts = {one.table for one in graph.unions.get(model.table, ())}
    return parts | {one.name for one in model.references}


def _inputs(models: Iterable[Model]) -> frozenset[tuple[str, str]]:
    return frozenset(
        raw_table(found)
        for model in models
        for found in model.references
        if is_raw(found)
    )


def _by_table(models: Iterable[Model]) -> dict[str, Model]:
    found: dict[str, Model] = {}
    for model in models:
        if twin := found.get(model.table):
            raise ModelError(f"{model.file}: {twin.file} has the same name; rename one")
        found[model.table] = model
    for model in found.values():
        for name in model.former_names:
            if name in found:
                raise ModelError(f"{model.file}: {found[name].file} is {name} now")
    return found


def _unions(
    models: Mapping[str, Model],
) -> dict[str, tuple[Model, ...]]:
    return {
        union.table: tuple(
            model
            for model in models.values()
            if model.schema == "staging" and model.name.partition("__")[2] == union.name
        )
        for union in models.values()
        if union.kind == "union"
    }


def _refuse_unknown(model: Model, known: frozenset[str]) -> None:
    for found in model.references:
        where = f"{model.file}:{found.line}: {found.name}"
        if is_raw(found):
            vendor, table = raw_table(found)
            if not NAME.fullmatch(vendor) or not NAME.fullmatch(table):
                hint = nearest(found.name, LEDGERS)
                raise ModelError(f"{where} is not raw.<vendor>__<table>{hint}")
            if model.schema != "staging" or not model.name.startswith(f"{vendor}__"):
                raise ModelError(f"{where} is read by staging/{vendor}/*.sql only")
        elif found.name not in known:
            hint = nearest(found.name, known)
            raise ModelError(f"{where} is neither a model nor an input{hint}")


def _ordered(
    models: Mapping[str, Model], unions: Mapping[str, tuple[Model, ...]]
) -> tuple[Model, ...]:
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for model in models.values():
        reads = [found.name for found in model.references]
        if model.kind == "call_date":
            if CALLS not in models:
                raise ModelError(f"{model.file}: incremental call_date needs {CALLS}")
            reads.append(CALLS)
        reads += (one.table for one in unions.get(model.table, ()))
        sorter.add(model.table, *(name for name in reads if name in models))
    try:
        return tuple(models[name] for name in sorter.static_order())
    except CycleError as error:
        raise ModelError(f"models read in a circle: {' < '.join(error.args[1])}") from (
            error
        )


def _refuse_half_seen(graph: Graph) -> None:
    """Refuse a table of everything that is made from the calls of this build alone."""
    partial = {f"raw.{vendor}__{table}" for vendor, table in graph.records}
    partial |= OF_RECORDS
    by_key = {model.table for model in graph.models if model.kind == "call_key"}
    for model in graph.models:
        half = [one for one in model.references if one.name in partial]
        if any(one.table in partial for one in graph.unions.get(model.table, ())):
            partial.add(model.table)
        elif model.kind == "transient":
            if half or any(one.name in by_key for one in model.references):
                partial.add(model.table)
        elif model.kind not in {"call_key", "load_id"} and half:
            raise ModelError(
                f"{model.file}:{half[0].line}: {half[0].name} has the calls of "
                "this build only; read main.* or say '-- @kind incremental call_key'"
            )


def _refuse_untimely(graph: Graph) -> None:
    """Refuse what is read before it is made, or when its time is over."""
    for model in (*graph.models, *graph.checks):
        for one in model.references:
            if one.name == REBUILD:
                raise ModelError(
                    f"{model.file}:{one.line}: {REBUILD} is for a *.rebuild.sql; what a"
                    " model reads has the calls of this build only, as it is"
                )
    for model in graph.rebuilds:
        for one in model.references:
            if one.name.startswith("staging."):
                raise ModelError(
                    f"{model.file}:{one.line}: {one.name} is not there yet when records"
                    " are marked; read main.*"
                )
    for model in graph.shards:
        for one in model.references:
            if not one.name.startswith(("config.", "seeds.")):
                raise ModelError(
                    f"{model.file}:{one.line}: {one.name} may not be there yet when "
                    "shards are made; read config.*"
                )
