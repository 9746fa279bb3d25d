"""What a SELECT reads, and how to make it read from somewhere else."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError


class ModelError(Exception):
    """A model file does not say what it must: where, what is wrong, what to do."""


@dataclass(frozen=True)
class Reference:
    """A table that a SELECT reads, and where its name stands in the text."""

    name: str
    """Schema and table, as in ``main.fact_calls``."""
    start: int
    end: int
    line: int
    is_aliased: bool


def references(file: str, text: str) -> Iterator[Reference]:
    """Yield the tables that the one SELECT of a file reads, its CTEs left out."""
    try:
        trees = _trees(text)
    except SqlglotError as error:
        raise ModelError(f"{file}{_why(error)}") from error
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


def query(text: str) -> exp.Query:
    """Return the tree of the one SELECT of a file that ``references`` has read."""
    (tree,) = _trees(text)
    if not isinstance(tree, exp.Query):
        raise ModelError("after its header a file holds one SELECT, no more")
    return tree


@cache
def _trees(text: str) -> list[exp.Expr | None]:
    """Parse a file once; nobody may change the trees."""
    return list(sqlglot.parse(text, dialect="duckdb"))


def selected(text: str) -> tuple[str, ...]:
    """Return the names of the columns that a SELECT gives, as far as it names them."""
    return tuple(str(name) for name in query(text).named_selects if name != "*")


def rewritten(text: str, found: Iterable[Reference], places: Mapping[str, str]) -> str:
    """Return the SELECT with the tables of ``places`` read from there.

    Names are spliced into the text, so all else stays as its author wrote it.
    """
    for one in sorted(found, key=lambda one: -one.start):
        if place := places.get(one.name):
            alias = "" if one.is_aliased else f' as "{one.name.partition(".")[2]}"'
            text = text[: one.start] + place + alias + text[one.end :]
    return text


def _why(error: SqlglotError) -> str:
    if not isinstance(error, ParseError) or not error.errors:
        return f": the SQL cannot be read: {error}"
    first = error.errors[0]
    what = f"{first['description']} at {first['highlight']!r}"
    return f":{first['line']}: the SQL cannot be read: {what}"


def columns_of(expression: str, place: str) -> tuple[str, ...]:
    """Return the columns an expression names; ``place`` says where it stands."""
    wrong = ModelError(f"{place} needs one SQL expression, not {expression!r}")
    if not expression.strip():  # "()" could be read
        raise wrong
    try:
        tree = sqlglot.parse_one(f"select ({expression})", dialect="duckdb")
    except SqlglotError as error:
        raise wrong from error
    return tuple(dict.fromkeys(one.name.lower() for one in tree.find_all(exp.Column)))


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the name that was probably meant."""
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; the nearest is {close[0]}" if close else ""
