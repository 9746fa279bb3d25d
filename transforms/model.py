"""One file, one model: its path names it, its header declares it, a SELECT is it.

The header is the leading ``--`` lines: first the sentence that says what one row is,
then flat tags, one a line; a line without ``@`` continues the tag above it. What a
model reads is never declared: it is read from the SQL.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

Kind: TypeAlias = Literal[
    "transient", "table", "call_key", "call_date", "check", "touch"
]

FOLDERS: Mapping[str, tuple[str, Kind]] = {
    "staging": ("staging", "transient"),
    "facts": ("main", "call_key"),
    "dims": ("main", "table"),
    "marts": ("main", "call_date"),
    "ops": ("ops", "table"),
}
"""The folder decides the schema and the default kind."""
KINDS: Mapping[str, Kind] = {
    "transient": "transient",
    "table": "table",
    "incremental call_key": "call_key",
    "incremental call_date": "call_date",
}
TAGS = frozenset(
    {"kind", "key", "not_null", "accepted", "check", "column"}
    | {"reference", "together", "unused"}
)
NAME = re.compile(r"[a-z][a-z0-9_]*")
_T = TypeVar("_T")
_TAG = re.compile(r"--\s*@(\w*)\s*(.*)")


class ModelError(Exception):
    """A model file does not say what it must: where, what is wrong, what to do."""


@dataclass(frozen=True)
class Reference:
    """A table that a model reads, and where its name stands in the text."""

    name: str
    """Schema and table, as in ``main.fact_calls``."""
    start: int
    end: int
    line: int
    is_aliased: bool


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
    key: tuple[str, ...] = ()
    not_null: tuple[str, ...] = ()
    accepted: tuple[tuple[str, tuple[str, ...]], ...] = ()
    checks: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    """Column and meaning."""
    is_reference: bool = False
    together: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """Schema and name, as other models write it."""
        return f"{self.schema}.{self.name}"

    def bound(self, places: Mapping[str, str]) -> str:
        """Return the SELECT with the tables of ``places`` read from there.

        Names are spliced into the text, so what the author wrote stays as written.
        """
        text = self.sql
        for found in sorted(self.references, key=lambda one: -one.start):
            if place := places.get(found.name):
                alias = "" if found.is_aliased else f" as {found.name.split('.')[1]}"
                text = text[: found.start] + place + alias + text[found.end :]
        return text


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the name that was probably meant."""
    close = get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    return f"; the nearest is {close[0]}" if close else ""


def read_model(path: Path, root: Path) -> Model:
    """Read one file below ``root``; a ModelError names the file and the line."""
    file = path.relative_to(root).as_posix()
    schema, name, kind = _place(file)
    text = path.read_text(encoding="utf-8").rstrip().removesuffix(";")
    sentence, tags = _header(file, text)
    for tag in tags:
        if kind in {"check", "touch"}:
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
        references=tuple(_references(file, text)),
        key=_names(tagged("key")),
        not_null=_names(tagged("not_null")),
        accepted=_pairs(tagged("accepted"), _split),
        checks=_expressions(tagged("check")),
        columns=_pairs(tagged("column"), str),
        is_reference=bool(tagged("reference")),
        together=_expressions(tagged("together")),
        unused=tuple(word for tag in tagged("unused") for word in _split(tag.value)),
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
    folder, _, rest = file.partition("/")
    name, _, suffix = file.rsplit("/", 1)[-1].removesuffix(".sql").partition(".")
    kinds: dict[str, Kind] = {"check": "check", "touch": "touch"}
    if suffix in kinds and NAME.fullmatch(name):
        return suffix, name, kinds[suffix]
    if folder not in FOLDERS or rest != f"{name}.sql" or not NAME.fullmatch(name):
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


def _pairs(tags: list[_Tag], read: Callable[[str], _T]) -> tuple[tuple[str, _T], ...]:
    found: dict[str, _T] = {}
    for tag in tags:
        name, _, rest = (part.strip() for part in tag.value.partition(":"))
        if not NAME.fullmatch(name) or not rest or name in found:
            raise ModelError(
                f"{tag.place}: write @{tag.name} as 'column: ...', once a column"
            )
        found[name] = read(rest)
    return tuple(found.items())


def _expressions(tags: list[_Tag]) -> tuple[str, ...]:
    for tag in tags:
        try:
            sqlglot.parse_one(f"select ({tag.value})", dialect="duckdb")
        except SqlglotError as error:
            raise ModelError(
                f"{tag.place}: @{tag.name} needs one SQL expression, not {tag.value!r}"
            ) from error
    return tuple(tag.value for tag in tags)


def _references(file: str, text: str) -> Iterator[Reference]:
    try:
        trees = sqlglot.parse(text, dialect="duckdb")
    except SqlglotError as error:
        raise ModelError(f"{file}: the SQL cannot be read: {error}") from error
    if len(trees) != 1 or not isinstance(tree := trees[0], exp.Query):
        raise ModelError(f"{file}: after its header a file holds one SELECT, no more")
    ctes = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        schema = table.args.get("db")
        if not isinstance(table.this, exp.Identifier):
            continue  # a table function
        place = table.this.meta
        if schema is None and table.name.lower() in ctes:
            continue
        if schema is None or table.catalog:
            raise ModelError(
                f"{file}:{place['line']}: write {table.sql('duckdb')} as schema.table"
            )
        yield Reference(
            name=f"{table.db}.{table.name}".lower(),
            start=schema.meta["start"],
            end=place["end"] + 1,
            line=place["line"],
            is_aliased=bool(table.alias),
        )


def _refuse_contradictions(model: Model) -> None:
    stored = model.kind in {"table", "call_key", "call_date"}
    if stored and not model.key:
        raise ModelError(f"{model.file}: a stored table needs '-- @key column'")
    if model.kind == "call_key" and model.key[0] != "call_key":
        raise ModelError(
            f"{model.file}: incremental call_key needs call_key first in its @key"
        )
    if model.kind == "call_date" and "call_date" not in model.key:
        raise ModelError(f"{model.file}: incremental call_date needs it in its @key")
    if stored and model.schema == "staging":
        raise ModelError(f"{model.file}: staging is transient; move it to facts or ops")
