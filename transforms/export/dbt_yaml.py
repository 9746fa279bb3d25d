"""What dbt reads as YAML: tests and docs from the headers, places, types of seeds."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

from transforms.runner.checks import never_null
from transforms.runner.model import Model

Yaml: TypeAlias = str | bool | Sequence["Yaml"] | Mapping[str, "Yaml"]
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
        _entry(column, meanings.get(column, ""), data_tests=tests.get(column, []))
        for column in dict.fromkeys((*meanings, *tests))
    ]
    return _entry(name, model.sentence, columns=columns, data_tests=together)


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
        "settings": {"TimeZone": "UTC"},
        "plugins": [{"module": "callhouse_plugin"}],
        "module_paths": ["."],
    }
    return {"callhouse": {"target": "here", "outputs": {"here": target}}}


def sources(stored: Collection[tuple[str, str]]) -> dict[str, Yaml]:
    """Return the tables of the raw files, given as vendor and table."""
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
    return "\n".join(_lines(value)) + "\n"


def _entry(name: str, description: str, **lists: list[Yaml]) -> dict[str, Yaml]:
    given: dict[str, Yaml] = {"description": escaped(description), **lists}
    return {"name": name, **{key: one for key, one in given.items() if one}}


def _test(name: str, **arguments: Yaml) -> dict[str, Yaml]:
    return {name: {"arguments": arguments}}


def _lines(value: Yaml, indent: str = "") -> Iterator[str]:
    """Yield block style, its scalars and lists of them as JSON, which is YAML too."""
    if _is_flat(value):
        yield f"{indent}{json.dumps(value, ensure_ascii=False)}"
    elif isinstance(value, Mapping):
        for key, one in value.items():
            first, *rest = _lines(one, f"{indent}  ")
            if _is_flat(one):
                yield f"{indent}{key}: {first.lstrip()}"
            else:
                yield from (f"{indent}{key}:", first, *rest)
    elif isinstance(value, Sequence):
        for one in value:
            first, *rest = _lines(one, f"{indent}  ")
            yield f"{indent}- {first.lstrip()}"
            yield from rest


def _is_flat(value: Yaml) -> bool:
    if isinstance(value, Mapping):
        return not value
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(isinstance(one, str) for one in value)
    return True
