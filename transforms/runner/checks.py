"""Checks of a model's rows: queries that return the bad ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from transforms.runner.model import Model
from transforms.runner.parsing import ModelError, columns_of, nearest
from transforms.runner.statements import listed

SHOWN = 20
"""So many bad rows are enough to see what is wrong."""


@dataclass(frozen=True)
class Check:
    """A condition that no row may meet, and the columns that show why."""

    name: str
    bad: str
    columns: tuple[str, ...]


class CheckFailed(Exception):  # noqa: N818
    """Rows broke a check, so nothing of the build was kept.

    ``rows`` has at most twenty of the ``count`` bad rows: their key and the columns
    that the check names, which may be personal; the message has none of them.
    """

    def __init__(
        self,
        model: str,
        check: str,
        sentence: str,
        rows: Sequence[Mapping[str, object]],
        count: int,
    ) -> None:
        """Say which check of which model failed, and for how many rows."""
        super().__init__(f"{model}: {count} rows fail: {check} ({sentence})")
        self.model, self.check, self.sentence = model, check, sentence
        self.rows, self.count = tuple(rows), count


def declared(model: Model) -> Iterator[Check]:
    """Yield what the header promises of every row; NULL breaks ``not_null`` only."""
    for column in never_null(model):
        yield Check(f"not_null {column}", f'"{column}" is null', (column,))
    for column, values in model.accepted:
        bad = f'"{column}"::varchar not in ({listed(values)})'
        yield Check(f"accepted {column}", bad, (column,))
    for text in model.checks:
        named = columns_of(text, f"{model.file}: @check")
        yield Check(f"check {text}", f"not ({text})", named)


def never_null(model: Model) -> tuple[str, ...]:
    """Return the columns that may not be NULL, those of the key first."""
    key = (column for column in model.key if column not in model.nullable)
    return tuple(dict.fromkeys((*key, *model.not_null)))


def check_model(
    connection: DuckDBPyConnection, model: Model, place: str, extra: Sequence[Check]
) -> int:
    """Check the rows of ``model`` in the relation ``place``; return how many checks.

    Raises CheckFailed for the first check that fails, ModelError for a column that
    the header names and the SELECT does not have, or the other way round.
    """
    rows = connection.sql(f"from {place}")
    checks = (*declared(model), *extra)
    _refuse_other_columns(model, rows.columns, checks)
    counts = ["count(*)", *(f"count_if({one.bad})" for one in checks)]
    ((_, *bad),) = rows.aggregate(", ".join(counts)).fetchall()
    for one, count in zip(checks, bad, strict=True):
        if count:
            names = dict.fromkeys((*model.key, *one.columns))
            shown = ", ".join(f'"{name}"' for name in names)
            found = rows.filter(one.bad).project(shown)
            _refuse_rows(found, model.table, one.name, model.sentence)
    if not model.key:
        return len(checks)
    keys = ", ".join(f'"{name}"' for name in model.key)
    repeated = rows.aggregate(f"{keys}, count(*) as row_count", keys)
    unique = f"unique {', '.join(model.key)}"
    _refuse_rows(repeated.filter("row_count > 1"), model.table, unique, model.sentence)
    return len(checks) + 1


def check_query(connection: DuckDBPyConnection, model: Model, sql: str) -> None:
    """Raise CheckFailed when the query of a ``*.check.sql`` returns a row."""
    found = connection.sql(f"from ({sql}\n)")
    _refuse_rows(found, model.file, model.name, model.sentence)


def _refuse_rows(
    found: DuckDBPyRelation, model: str, check: str, sentence: str
) -> None:
    rows = found.limit(SHOWN).fetchall()
    if rows:
        shown = [dict(zip(found.columns, row, strict=True)) for row in rows]
        ((count,),) = found.count("*").fetchall()
        raise CheckFailed(model, check, sentence, shown, count)


def _refuse_other_columns(
    model: Model, built: Sequence[str], checks: Sequence[Check]
) -> None:
    needed = [name for one in checks for name in one.columns]
    described = [column.name for column in model.columns]
    for name in (*needed, *described):
        if name not in built:
            hint = nearest(name, frozenset(built))
            raise ModelError(f"{model.file}: the SELECT has no column {name}{hint}")
    for name in built:
        if model.schema == "main" and name not in described:
            raise ModelError(f"{model.file}: say what {name} is, '-- @column {name}: '")
