"""What dbt reads as YAML: tests and docs from the headers, places, types of seeds."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from yaml import safe_dump

from transforms.runner.checks import never_null
from transforms.runner.model import Model
from transforms.runner.storage import STORAGE

Yaml: TypeAlias = str | bool | Sequence["Yaml"] | Mapping[str, "Yaml"]
WIDTH = 100
"""Of a line, in characters."""
TIME_SPINE = ("main.dim_dates", "date")
"""The table and column of all days, which metrics over time are joined to."""
_JINJA = re.compile(r"\{[{%#]")


def described(model: Model, name: str) -> dict[str, Yaml]:
    """Return a model's docs, and what its header promises as tests."""
    tests: dict[str, list[Yaml]] = {
        column: ["not_null"] for column in never_null(model)
    }
    together: list[Yaml] = []
    if len(model.key) == 1 and not model.nullable:
        tests[model.key[0]].append("unique")
    elif model.key:
        together.append(_test("unique_together", columns=model.key))
    for column, words in model.accepted:
        test = _test("accepted_values", values=[escaped(word) for word in words])
        tests.setdefault(column, []).append(test)
    together += [_test("holds", expression=escaped(text)) for text in model.checks]
    meanings = {column.name: column.comment for column in model.columns}
    columns: list[Yaml] = [
        {
            **_entry(
                column, meanings.get(column, ""), data_tests=tests.get(column, [])
            ),
            **({"granularity": "day"} if (model.table, column) == TIME_SPINE else {}),
        }
        for column in dict.fromkeys((*meanings, *tests))
    ]
    entry = _entry(name, model.sentence, columns=columns, data_tests=together)
    table, days = TIME_SPINE
    if model.table == table:
        entry["time_spine"] = {"standard_granularity_column": days}
    return entry


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


def sources(stored: Collection[tuple[str, str]]) -> dict[str, Yaml]:
    """Return the tables of the raw files, as vendor and table."""
    listed: list[Yaml] = [
        {
            "name": vendor,
            "database": vendor,
            "schema": "raw",
            "tables": [{"name": name} for of, name in sorted(stored) if of == vendor],
        }
        for vendor in sorted({vendor for vendor, _ in stored})
    ]
    return {"sources": listed}


def escaped(text: str) -> str:
    """Keep braces that happen to be in a text from dbt's templates."""
    return _JINJA.sub(lambda found: f"{{% raw %}}{found[0]}{{% endraw %}}", text)


def yaml(value: Mapping[str, Yaml]) -> str:
    """Return a file's text."""
    return safe_dump(value, allow_unicode=True, sort_keys=False, width=WIDTH)


def _entry(name: str, description: str, **lists: list[Yaml]) -> dict[str, Yaml]:
    entry: dict[str, Yaml] = {"description": escaped(description), **lists}
    return {"name": name, **{key: one for key, one in entry.items() if one}}


def _test(name: str, **arguments: Yaml) -> dict[str, Yaml]:
    return {name: {"arguments": arguments}}
