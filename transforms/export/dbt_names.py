"""What relations are called in a dbt project, and in which folder their files are.

By default they have their own names. By those that dbt recommends, a name begins with
the layer: ``base_`` for what staging reads, ``stg_``, ``int_``, ``fct_``, ``dim_``, and
``rpt_`` for the tables about loads.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Literal, TypeAlias

from transforms.runner import input_sql
from transforms.runner.graph import DELETED, ERASED, TOMBSTONES, VERSIONS, Graph
from transforms.runner.model import Model

Style: TypeAlias = Literal["own", "dbt"]
PREFIXES = {
    "staging": "stg_",
    "intermediate": "int_",
    "facts": "fct_",
    "dims": "dim_",
    "marts": "fct_",
    "ops": "rpt_",
    "raw": "base_",
    "inputs": "base_inputs__",
    "config": "base_config__",
    "seeds": "seed_",
}
"""In the style of dbt, by the folder of a model or the schema of what none makes."""
KINDS = ("fact_", "dim_", "bridge_")
"""Prefixes of ours, which those of dbt replace."""
MARTS = {"facts", "dims"}
"""Folders that dbt has in its folder of marts."""


@dataclass(frozen=True)
class Names:
    """The names of a project, in a style."""

    graph: Graph
    config: Collection[str]
    """The tables ``config.<name>``."""
    style: Style

    def __getitem__(self, table: str) -> str:
        """Return what a relation is called in ``ref`` and as a file."""
        return self.by_table[table]

    @cached_property
    def by_table(self) -> dict[str, str]:
        """The name of each relation, which dbt wants once, whatever its schema."""
        return self._recommended() if self.style == "dbt" else self._own()

    def folder(self, model: Model) -> str:
        """Return where the file of a model is, below ``models``."""
        folder = PurePosixPath(model.file).parent
        if self.style == "dbt" and folder.parts[0] in MARTS:
            folder = "marts" / folder
        return folder.as_posix()

    def aliased(self, table: str, sql: str) -> str:
        """Let dbt call a table what we call it, where its file has another name."""
        name = table.partition(".")[2]
        if self.style == "dbt" or self[table] == name:
            return sql
        return f"{{{{ config(alias='{name}') }}}}\n{sql}"

    def _own(self) -> dict[str, str]:
        made = [model.table for model in self.graph.models]
        tables = [
            *sorted(made, key=lambda name: not name.startswith("main.")),
            *(name for one in self.graph.models for name in one.former_names),
            *self._inputs(),
        ]
        names: dict[str, str] = {}
        for table in tables:
            schema, _, name = table.partition(".")
            is_taken = schema in {"config", "inputs", "raw"} or name in names.values()
            names[table] = f"{schema}__{name}" if is_taken else name
        return names

    def _recommended(self) -> dict[str, str]:
        places = {one.table: one.file.partition("/")[0] for one in self.graph.models}
        places |= {table: table.partition(".")[0] for table in self._inputs()}
        return {table: _prefixed(table, place) for table, place in places.items()}

    def _inputs(self) -> list[str]:
        """Return the relations that no model makes."""
        raw = sorted(self.graph.records | self.graph.registers)
        return [
            *(f"seeds.{path.stem}" for path in self.graph.seeds),
            *(f"config.{name}" for name in self.config),
            *input_sql.LEDGERS,
            *(DELETED, ERASED, VERSIONS, TOMBSTONES),
            *(f"raw.{vendor}__{table}" for vendor, table in raw),
        ]


def _prefixed(table: str, place: str) -> str:
    name = table.partition(".")[2]
    for kind in KINDS:
        name = name.removeprefix(kind)
    return f"{PREFIXES[place]}{name}"
