"""What dbt reads as YAML: tests and docs from the headers, places, types of seeds."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from yaml import safe_dump

from transforms.export.dbt_names import Names
from transforms.runner.checks import never_null
from transforms.runner.graph import Graph
from transforms.runner.model import Model
from transforms.runner.storage import STORAGE

Yaml: TypeAlias = str | int | bool | Sequence["Yaml"] | Mapping[str, "Yaml"]
WIDTH = 100
"""Of a line, in characters."""
TIME_SPINE = ("main.dim_dates", "date")
"""The table and column of all days, which metrics over time are joined to."""
ENTITIES = {"facts", "dims"}
"""Folders of tables that others are joined to."""
PUBLISHED = {"main", "ops"}
"""Schemas of the tables that are published."""
_JINJA = re.compile(r"\{[{%#]")


def described(model: Model, names: Names) -> dict[str, Yaml]:
    """Return a model's docs, and what its header promises as tests.

    Tools know the tests ``not_null`` of the columns that tables are joined by, and of
    facts and dimensions all. The columns of a table that are left have one test.
    """
    tests: dict[str, list[Yaml]] = {}
    together: list[Yaml] = []
    alone, others = never_null_alone(model)
    tests |= {column: ["not_null"] for column in alone}
    if others:
        together.append(_test("columns_not_null", columns=others))
    if len(model.key) == 1 and not model.nullable:
        tests.setdefault(model.key[0], []).append("unique")
    elif model.key:
        together.append(_test("unique_together", columns=model.key))
    for column, words in model.accepted:
        test = _test("accepted_values", values=[escaped(word) for word in words])
        tests.setdefault(column, []).append(test)
    for column, table in relationships(names.graph, model):
        test = _test("relationships", to=f"ref('{names[table]}')", field=column)
        tests.setdefault(column, []).append(test)
    together += [_test("holds", expression=escaped(text)) for text in model.checks]
    columns = [_column(model, *one) for one in _with_meanings(model, tests)]
    found = entry(names[model.table], model.sentence, columns=columns)
    if together:
        found["data_tests"] = together
    table, days = TIME_SPINE
    if model.table == table:
        found["time_spine"] = {"standard_granularity_column": days}
    return found


def never_null_alone(model: Model) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns with a test ``not_null`` each, and those with one of all."""
    never, folder = never_null(model), model.file.partition("/")[0]
    if folder in ENTITIES:
        return never, ()
    if model.schema not in PUBLISHED:
        return (), never
    keys = tuple(column for column in never if column in model.key)
    return keys, tuple(column for column in never if column not in keys)


def relationships(graph: Graph, model: Model) -> Iterator[tuple[str, str]]:
    """Yield columns of a fact that are the key of another table, and that table."""
    keys = {
        one.key[0]: one.table
        for one in graph.models
        if one.file.partition("/")[0] in ENTITIES and len(one.key) == 1
    }
    if model.file.startswith("facts/"):
        for column in model.columns:
            if keys.get(column.name, model.table) != model.table:
                yield column.name, keys[column.name]


def _with_meanings(
    model: Model, tests: Mapping[str, list[Yaml]]
) -> Iterator[tuple[str, str, list[Yaml]]]:
    meanings = {column.name: column.comment for column in model.columns}
    for column in dict.fromkeys((*meanings, *tests)):
        yield column, meanings.get(column, ""), tests.get(column, [])


def _column(model: Model, name: str, meaning: str, tests: list[Yaml]) -> Yaml:
    found = entry(name, meaning, data_tests=tests)
    if (model.table, name) == TIME_SPINE:
        found["granularity"] = "day"
    return found


def profile(folder: str, vendors: Sequence[str]) -> dict[str, Yaml]:
    """Return the connection, with the raw files of ``vendors`` attached to it."""
    raw = f"{{{{ env_var('CALLHOUSE_RAW', {json.dumps(folder)}) }}}}"
    attach: list[Yaml] = [
        {"path": f"{raw}/{vendor}.duckdb", "alias": vendor, "read_only": True}
        for vendor in vendors
    ]
    target: dict[str, Yaml] = {
        "type": "duckdb",
        "path": "callhouse.duckdb",
        "attach": attach,
        "config_options": {**STORAGE},
        "settings": {"TimeZone": "UTC"},
        "plugins": [{"module": "callhouse_plugin"}],
        "module_paths": ["."],
    }
    return {"callhouse": {"target": "here", "outputs": {"here": target}}}


def escaped(text: str) -> str:
    """Keep braces that happen to be in a text from dbt's templates."""
    return _JINJA.sub(lambda found: f"{{% raw %}}{found[0]}{{% endraw %}}", text)


def yaml(value: Mapping[str, Yaml]) -> str:
    """Return a file's text."""
    return safe_dump(value, allow_unicode=True, sort_keys=False, width=WIDTH)


def entry(name: str, description: str, **lists: list[Yaml]) -> dict[str, Yaml]:
    """Return an entry of a list, without what is empty."""
    found: dict[str, Yaml] = {"description": escaped(description), **lists}
    return {"name": name, **{key: one for key, one in found.items() if one}}


def _test(name: str, **arguments: Yaml) -> dict[str, Yaml]:
    return {name: {"arguments": arguments}}
