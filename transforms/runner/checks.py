"""Checks of a model's rows: queries that return the bad ones."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from transforms.runner.model import Model
from transforms.runner.parsing import ModelError, columns_of, nearest
from transforms.runner.statements import listed, select, statement

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

    def __reduce__(self) -> tuple[object, ...]:
        """Return how it is made again in another process."""
        parts = self.model, self.check, self.sentence, self.rows, self.count
        return type(self), parts, {"__notes__": getattr(self, "__notes__", [])}


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
) -> tuple[int, int]:
    """Check the rows of ``model`` in the relation ``place``; count the rows and checks.

    Raises CheckFailed for the first check that fails, ModelError for a column that
    the header names and the SELECT does not have, or the other way round.
    """
    # Columns of no row: a relation would be bound again for each question.
    described = connection.execute(f"from {place} limit 0").description or ()
    checks = (*declared(model), *extra)
    _refuse_other_columns(model, [name for name, *_ in described], checks)
    names = _names(model.key)
    counts = ["count(*)", *(f"count_if({one.bad})" for one in checks)]
    if model.key:
        counts.append(select("repeated_keys", place=place, key=names))
    sql = statement("checked", place=place, counts=", ".join(counts))
    ((rows, *bad),) = connection.execute(sql).fetchall()
    for one, count in zip(checks, bad, strict=False):
        if count:
            shown = _names(dict.fromkeys((*model.key, *one.columns)))
            found = connection.sql(f"from {place}").filter(one.bad).project(shown)
            _refuse_rows(found, model.table, one.name, model.sentence)
    if model.key and bad[-1]:
        keys = connection.sql(f"from {place}").aggregate(
            f"{names}, count(*) as row_count", names
        )
        unique = f"unique {', '.join(model.key)}"
        _refuse_rows(keys.filter("row_count > 1"), model.table, unique, model.sentence)
    return rows, len(bad)


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


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
