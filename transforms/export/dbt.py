"""The models as a dbt project: the same SELECTs, tests for checks, docs for headers.

dbt computes everything whole, so a model is here what a full build makes of it. What
of a project never changes is in the folder ``dbt_project``, as files.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import parquet

from transforms.export.dbt_names import Names, Style
from transforms.export.dbt_sources import documented, exposures, sources
from transforms.export.dbt_yaml import Yaml, described, entry, escaped, profile, yaml
from transforms.export.semantic import semantic_file
from transforms.runner import functions, input_sql
from transforms.runner.graph import DELETED, ERASED, TOMBSTONES, VERSIONS, Graph
from transforms.runner.model import Model
from transforms.runner.statements import statement
from transforms.runner.storage import connect

STATIC = Path(__file__).parent / "dbt_project"
_MARK = "\x00"
"""Around the name of a relation, while braces beside it are escaped."""


@dataclass(frozen=True)
class ProjectInputs:
    """What the models read, all of it."""

    context: Mapping[str, pa.Table]
    """The tables ``config.<name>``."""
    raw_folder: str
    """Where the raw files are, from the folder of the project."""
    vendors: Sequence[str]
    """Of the raw files, ``<vendor>.duckdb``."""
    stored: Collection[tuple[str, str]]
    """Vendor and table, of every raw table that there is."""
    report: Collection[str] = ()
    """The tables that the report shows."""
    max_age_hours: int = 30
    """A vendor that was not read for longer is stale."""
    style: Style = "own"


def project(graph: Graph, inputs: ProjectInputs) -> dict[str, bytes]:
    """Return every file of the project, by its path."""
    names = Names(graph, inputs.context, inputs.style)
    texts = {
        path.relative_to(STATIC).as_posix(): path.read_text("utf-8")
        for path in sorted(STATIC.rglob("*"))
        # An installer compiles what it finds, this too.
        if path.is_file() and path.parent.name != "__pycache__"
    }
    for name in ("functions", "phone_numbers", "times"):
        file = Path(functions.__file__).with_name(f"{name}.py")
        texts[f"transforms/runner/{file.name}"] = file.read_text("utf-8")
    texts["profiles.yml"] = yaml(profile(inputs.raw_folder, inputs.vendors))
    texts |= _raw_files(graph, inputs, names)
    texts |= _model_files(graph, names)
    texts |= {f"tests/{one.name}.sql": _bound(one, names) for one in graph.checks}
    texts["models/exposures.yml"] = yaml(exposures(graph.models, inputs.report, names))
    texts |= semantic_file(graph, names)
    files = {path: f"{text.rstrip()}\n".encode() for path, text in texts.items()}
    return files | _seeds(graph, names) | _config(inputs.context, names)


def _model_files(graph: Graph, names: Names) -> dict[str, str]:
    texts: dict[str, str] = {}
    listed: dict[str, list[Yaml]] = {}
    for model in graph.models:
        folder = names.folder(model)
        sql = _bound(model, names)
        if model.kind == "union":
            members = graph.unions[model.table]
            parts = {one.vendor: _ref(names[one.table]) for one in members}
            sql = input_sql.union(sql, parts)
        path = f"models/{folder}/{names[model.table]}.sql"
        texts[path] = names.aliased(model.table, sql)
        place = f"models/{folder.partition('/')[0]}/schema.yml"
        listed.setdefault(place, []).append(described(model, names))
        for former in model.former_names if names.style == "own" else ():
            path = f"models/{folder}/{names[former]}.sql"
            texts[path] = _view(former, names[model.table])
            text = f"The former name of {names[model.table]}."
            listed[place].append(entry(names[former], text))
    return texts | {path: yaml({"models": found}) for path, found in listed.items()}


def _raw_files(graph: Graph, inputs: ProjectInputs, names: Names) -> dict[str, str]:
    declared = sources(graph, inputs.stored, inputs.max_age_hours)
    texts = {"models/raw/sources.yml": yaml(declared)}
    listed: dict[str, list[str]] = {}
    for table, sql in _raw(graph, inputs, names).items():
        schema = table.partition(".")[0]
        texts[f"models/{schema}/{names[table]}.sql"] = names.aliased(table, sql)
        listed.setdefault(schema, []).append(table)
    listed["config"] = [f"config.{name}" for name in inputs.context]
    for schema, tables in listed.items():
        texts[f"models/{schema}/schema.yml"] = yaml(
            {"models": [documented(one, names) for one in tables]}
        )
    return texts


def _raw(graph: Graph, inputs: ProjectInputs, names: Names) -> dict[str, str]:
    """Return the SQL of every relation over the raw files."""

    def places(table: str) -> dict[str, str]:
        return {
            vendor: _source(vendor, table)
            for vendor in inputs.vendors
            if (vendor, table) in inputs.stored
        }

    found = {
        name: input_sql.ledger(name, places(table))
        for name, table in input_sql.LEDGERS.items()
    }
    tables = sorted(graph.records & set(inputs.stored))
    stored = input_sql.stored({one: _source(*one) for one in tables})
    for name in (DELETED, ERASED, TOMBSTONES):
        found[name] = statement(name.removeprefix("inputs."), stored=stored)
    for vendor, table in sorted(graph.records | graph.registers):
        place = places(table).get(vendor)
        found[f"raw.{vendor}__{table}"] = input_sql.versions(place)
    found[VERSIONS] = input_sql.stored(
        {(v, t): _ref(names[f"raw.{v}__{t}"]) for v, t in sorted(graph.records)}
    )
    return found


def _ref(name: str) -> str:
    return f"{{{{ ref('{name}') }}}}"


def _source(vendor: str, table: str) -> str:
    return f"{{{{ source('{vendor}', '{table}') }}}}"


def _view(table: str, of: str) -> str:
    """Return a view that gives a table another name."""
    schema, _, name = table.partition(".")
    config = f"alias='{name}', schema='{schema}', materialized='view'"
    return f"{{{{ config({config}) }}}}\nfrom {_ref(of)}"


def _bound(model: Model, names: Names) -> str:
    """Return the SELECT as written, but for the tables it reads."""
    marks = {table: f"{_MARK}{name}{_MARK}" for table, name in names.by_table.items()}
    text = escaped(model.bound(marks))
    return re.sub(f"{_MARK}(.*?){_MARK}", r"{{ ref('\1') }}", text)


def _seeds(graph: Graph, names: Names) -> dict[str, bytes]:
    """Return the seeds, with the types that all their rows have."""
    files: dict[str, bytes] = {}
    seeds: list[Yaml] = []
    with connect() as connection:
        for path in graph.seeds:
            name = names[f"seeds.{path.stem}"]
            files[f"seeds/{name}.csv"] = path.read_bytes()
            types = _types(connection, f"from {input_sql.seed(path)}")
            config: Yaml = {"column_types": types, "alias": path.stem}
            seeds.append({**documented(f"seeds.{path.stem}", names), "config": config})
    files["seeds/schema.yml"] = yaml({"seeds": seeds}).encode()
    return files


def _config(context: Mapping[str, pa.Table], names: Names) -> dict[str, bytes]:
    """Return the ``config`` tables as Parquet, and models that give them types."""
    files: dict[str, bytes] = {}
    with connect() as connection:
        for name, table in context.items():
            connection.register("_config", table)
            types = _types(connection, "from _config")
            connection.unregister("_config")
            folder = "{{ project_folder() }}"
            file, of = f"config/{name}.parquet", f"config.{name}"
            columns = ", ".join(_typed(*column) for column in types.items())
            model = names.aliased(of, f"from '{folder}/{file}' select {columns}")
            files[f"models/config/{names[of]}.sql"] = f"{model}\n".encode()
            files[file] = _parquet(table)
    return files


def _types(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, str]:
    columns = connection.execute(f"describe {sql}").fetchall()
    return {name: kind for name, kind, *_ in columns}


def _typed(name: str, kind: str) -> str:
    # Parquet has no duration: it is stored as microseconds.
    made = f'to_microseconds("{name}")' if kind == "INTERVAL" else f'"{name}"::{kind}'
    return f'{made} as "{name}"'


def _parquet(table: pa.Table) -> bytes:
    for place, field in enumerate(table.schema):
        if pa.types.is_duration(field.type):
            microseconds = table[field.name].cast(pa.duration("us")).cast(pa.int64())
            table = table.set_column(place, field.name, microseconds)
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink)
    return sink.getvalue().to_pybytes()
