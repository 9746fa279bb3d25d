"""One file, one model: its path names it, its header declares it, a SELECT is it.

The header is the leading ``--`` lines: first the sentence that says what one row is,
then flat tags, one a line; a line without ``@`` continues the tag above it. What a
model reads is never declared: it is read from the SQL.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from transforms.runner.parsing import (
    ModelError,
    Reference,
    columns_of,
    nearest,
    references,
    rewritten,
    selected,
)

Kind: TypeAlias = Literal[
    "transient",
    "union",
    "table",
    "call_key",
    "call_date",
    "load_id",
    "check",
    "rebuild",
    "shard",
]
QUERIES: frozenset[Kind] = frozenset({"check", "rebuild", "shard"})
"""Kinds of files that make no table: a sentence, and what is selected."""

FOLDERS: Mapping[str, tuple[str, Kind]] = {
    "staging": ("staging", "transient"),
    "intermediate": ("intermediate", "transient"),
    "facts": ("main", "call_key"),
    "dims": ("main", "table"),
    "marts": ("main", "call_date"),
    "ops": ("ops", "table"),
}
"""The first folder decides the schema and the default kind; others only sort files."""
KINDS: Mapping[str, Kind] = {
    "transient": "transient",
    "union": "union",
    "table": "table",
    "incremental call_key": "call_key",
    "incremental call_date": "call_date",
    "incremental load_id": "load_id",
}
TAGS = frozenset(
    {"kind", "key", "not_null", "nullable", "accepted", "check", "column"}
    | {"reference", "rebuild_group", "former_name", "personal"}
)
PERSONAL = {
    "customer": "names a customer, or is how to reach one",
    "staff": "names somebody of the business",
    "anyone": "a text that may name either",
    "about_customer": "says something of a customer, without a name",
}
"""Whose personal data a column has, and what that means."""
NAME = re.compile(r"[a-z][a-z0-9_]*")
_TAG = re.compile(r"--\s*@(\w*)\s*(.*)")
_COLUMN = re.compile(r"([a-z][a-z0-9_]*)(?:\s*\[([^]]+)\])?\s*:\s*(\S.*)")
_TABLE = re.compile(rf"(main|ops|intermediate)\.{NAME.pattern}")
_NULL = re.compile(r";\s+NULL = ")


@dataclass(frozen=True)
class Column:
    """What a header says of a column."""

    name: str
    unit: str | None
    meaning: str
    null: str | None
    """What NULL means; None for a column that has none."""
    personal: str | None
    """Whose personal data it has, a key of `PERSONAL`; None: nobody's."""

    @property
    def comment(self) -> str:
        """Return all of it in one line."""
        unit = f" [{self.unit}]" if self.unit else ""
        null = f"; NULL = {self.null}" if self.null else ""
        return f"{self.meaning}{unit}{null}"


@dataclass(frozen=True)
class Model:
    """A model file as it stands."""

    file: str
    """Relative to the folder of models."""
    schema: str
    name: str
    kind: Kind
    sentence: str
    sql: str
    references: tuple[Reference, ...]
    key: tuple[str, ...]
    not_null: tuple[str, ...]
    nullable: tuple[str, ...]
    """Columns of the key that may be NULL: a mart's group of the unknown."""
    accepted: tuple[tuple[str, tuple[str, ...]], ...]
    checks: tuple[str, ...]
    columns: tuple[Column, ...]
    is_reference: bool
    rebuild_groups: tuple[str, ...]
    former_names: tuple[str, ...]
    """Schema and name that the table had, each a view of it for one release."""

    @property
    def is_stored(self) -> bool:
        """Whether it is a table of the built file."""
        return self.kind in {"table", "call_key", "call_date", "load_id"}

    @property
    def table(self) -> str:
        """Schema and name, as other models write it."""
        return f"{self.schema}.{self.name}"

    @property
    def selected(self) -> tuple[str, ...]:
        """Names of the columns that the SELECT gives, as far as it names them."""
        return selected(self.sql)

    @property
    def vendor(self) -> str:
        """Whose rows a ``staging.<vendor>__<entity>`` has."""
        return self.name.partition("__")[0]

    def bound(self, places: Mapping[str, str]) -> str:
        """Return the SELECT, reading the tables of ``places`` from there."""
        return rewritten(self.sql, self.references, places)


def read_model(path: Path, root: Path) -> Model:
    """Read one file below ``root``; a ModelError names the file and the line."""
    return _model(path.relative_to(root).as_posix(), path.read_text("utf-8"))


@cache
def _model(file: str, text: str) -> Model:
    text = text.rstrip().removesuffix(";")
    schema, name, kind = _place(file)
    sentence, tags = _header(file, text)
    for tag in tags:
        if kind in QUERIES:
            raise ModelError(f"{tag.place}: a {kind} has a sentence and no tags")
        if tag.name not in TAGS:
            raise ModelError(
                f"{tag.place}: unknown tag @{tag.name}{nearest(tag.name, TAGS)}"
            )

    def tagged(wanted: str) -> list[_Tag]:
        return [tag for tag in tags if tag.name == wanted]

    model = Model(
        file=file,
        schema=schema,
        name=name,
        kind=_kind(kind, tagged("kind")),
        sentence=sentence,
        sql=text,
        references=tuple(references(file, text)),
        key=_names(tagged("key")),
        not_null=_names(tagged("not_null")),
        nullable=_names(tagged("nullable")),
        accepted=_accepted(tagged("accepted")),
        checks=_expressions(tagged("check")),
        columns=_columns(file, tagged("column"), _personal(tagged("personal"))),
        is_reference=bool(tagged("reference")),
        rebuild_groups=_expressions(tagged("rebuild_group")),
        former_names=_tables(tagged("former_name")),
    )
    _refuse_contradictions(model)
    return model


@dataclass(frozen=True)
class _Tag:
    place: str
    """File and line."""
    name: str
    value: str


def _place(file: str) -> tuple[str, str, Kind]:
    *folders, last = file.split("/")
    name, _, suffix = last.removesuffix(".sql").partition(".")
    folder = folders[0] if folders else ""
    kinds: dict[str, Kind] = {kind: kind for kind in QUERIES}
    if suffix in kinds and NAME.fullmatch(name):
        return suffix, name, kinds[suffix]
    if (
        folder not in FOLDERS
        or suffix
        or not all(map(NAME.fullmatch, (*folders, name)))
    ):
        raise ModelError(
            f"{file}: a model is {'|'.join(FOLDERS)}/<name>.sql in lowercase, a check"
            f" <name>.check.sql{nearest(folder, FOLDERS)}"
        )
    schema, kind = FOLDERS[folder]
    return schema, name, kind


def _header(file: str, text: str) -> tuple[str, list[_Tag]]:
    prose: list[str] = []
    tags: list[_Tag] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("--"):
            break
        if match := _TAG.match(line):
            tags.append(_Tag(f"{file}:{number}", match[1], match[2].strip()))
        elif tags:
            more = f"{tags[-1].value} {line[2:].strip()}".strip()
            tags[-1] = replace(tags[-1], value=more)
        else:
            prose.append(line[2:].strip())
    if not any(prose):
        raise ModelError(f"{file}:1: begin with a sentence, '-- One row per ...'")
    return " ".join(prose).strip(), tags


def _kind(default: Kind, tags: list[_Tag]) -> Kind:
    for tag in tags:
        if tag.value not in KINDS:
            hint = nearest(tag.value, KINDS)
            raise ModelError(f"{tag.place}: unknown kind {tag.value!r}{hint}")
    return KINDS[tags[0].value] if tags else default


def _split(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _names(tags: list[_Tag]) -> tuple[str, ...]:
    for tag in tags:
        if not tag.value or not all(map(NAME.fullmatch, _split(tag.value))):
            raise ModelError(f"{tag.place}: write @{tag.name} as 'column, column'")
    return tuple(name for tag in tags for name in _split(tag.value))


def _tables(tags: list[_Tag]) -> tuple[str, ...]:
    for tag in tags:
        if not _TABLE.fullmatch(tag.value):
            raise ModelError(f"{tag.place}: write @{tag.name} as 'schema.table'")
    return tuple(tag.value for tag in tags)


def _accepted(tags: list[_Tag]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, tuple[str, ...]] = {}
    for tag in tags:
        name, _, rest = (part.strip() for part in tag.value.partition(":"))
        if not NAME.fullmatch(name) or not rest or name in found:
            raise ModelError(
                f"{tag.place}: write @{tag.name} as 'column: ...', once a column"
            )
        found[name] = _split(rest)
    return tuple(found.items())


def _personal(tags: list[_Tag]) -> dict[str, str]:
    """Return whose personal data a column has, by its name."""
    found: dict[str, str] = {}
    for tag in tags:
        whose, _, rest = (part.strip() for part in tag.value.partition(":"))
        names = _split(rest)
        if whose not in PERSONAL or not names or found.keys() & {*names}:
            raise ModelError(
                f"{tag.place}: write @personal as 'whose: column, column', once a"
                f" column; whose is one of {', '.join(PERSONAL)}"
            )
        found |= dict.fromkeys(names, whose)
    return found


def _columns(
    file: str, tags: list[_Tag], personal: Mapping[str, str]
) -> tuple[Column, ...]:
    found: dict[str, Column] = {}
    for tag in tags:
        match = _COLUMN.fullmatch(tag.value)
        if not match or match[1] in found:
            raise ModelError(
                f"{tag.place}: write @column as 'column [unit]: meaning; NULL = why',"
                " once a column, unit and NULL where it has them"
            )
        meaning, *null = _NULL.split(match[3], maxsplit=1)
        name, unit = match[1], match[2]
        because = null[0] if null else None
        found[name] = Column(name, unit, meaning, because, personal.get(name))
    if unknown := personal.keys() - found.keys():
        names = ", ".join(sorted(unknown))
        raise ModelError(f"{file}: @personal names {names}, which has no @column")
    return tuple(found.values())


def _expressions(tags: list[_Tag]) -> tuple[str, ...]:
    for tag in tags:
        columns_of(tag.value, f"{tag.place}: @{tag.name}")
    return tuple(tag.value for tag in tags)


def _refuse_contradictions(model: Model) -> None:
    if model.is_stored and not model.key:
        raise ModelError(f"{model.file}: a stored table needs '-- @key column'")
    if model.kind == "call_key" and model.key[0] != "call_key":
        raise ModelError(
            f"{model.file}: incremental call_key needs call_key first in its @key"
        )
    if model.kind == "call_date" and "call_date" not in model.key:
        raise ModelError(f"{model.file}: incremental call_date needs it in its @key")
    if model.kind == "load_id" and not {"vendor", "load_id"} <= {*model.key}:
        raise ModelError(
            f"{model.file}: incremental load_id needs vendor and load_id in its @key"
        )
    if model.is_stored and model.schema == "staging":
        raise ModelError(f"{model.file}: staging is transient; move it to facts or ops")
    if model.kind == "union" and model.schema != "staging":
        raise ModelError(f"{model.file}: a union is of staging models; move it there")
    if model.former_names and not model.is_stored:
        raise ModelError(f"{model.file}: only a stored table has a @former_name")
