"""Checks of a model's rows: queries that return the bad ones."""
# ruff: noqa: S608 -- what is spliced are names that model.py has checked

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from transforms.runner.model import Model
from transforms.runner.parsing import ModelError, columns_of, nearest

SHOWN = 20
"""So many bad rows are enough to see what is wrong."""


@dataclass(frozen=True)
class Check:
    """A condition that no row may meet, and the columns that show why."""

    name: str
    bad: str
    columns: tuple[str, ...]


class CheckFailed(Exception):  # noqa: N818
    """Rows broke a check, so nothing of the night was kept.

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
        words = ", ".join(quoted(value) for value in values)
        yield Check(
            f"accepted {column}", f'"{column}"::varchar not in ({words})', (column,)
        )
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
    """Check the rows of ``model`` that stand in ``place``; return how many checks.

    Raises CheckFailed for the first check that fails, ModelError for a column that
    the header names and the SELECT does not have, or the other way round.
    """
    built = columns(connection, place)
    checks = (*declared(model), *extra)
    _refuse_other_columns(model, built, checks)
    counts = ", ".join(["count(*)", *(f"count_if({one.bad})" for one in checks)])
    _, *bad = connection.execute(f"select {counts} from {place}").fetchall()[0]
    for one, count in zip(checks, bad, strict=True):
        if count:
            shown = ", ".join(
                f'"{name}"' for name in dict.fromkeys((*model.key, *one.columns))
            )
            _refuse_rows(
                connection,
                f"select {shown} from {place} where {one.bad}",
                (model.table, one.name, model.sentence),
            )
    if not model.key:
        return len(checks)
    keys = ", ".join(f'"{name}"' for name in model.key)
    repeated = f"select {keys}, count(*) as row_count from {place} group by all"
    _refuse_rows(
        connection,
        f"{repeated} having count(*) > 1",
        (model.table, f"unique {', '.join(model.key)}", model.sentence),
    )
    return len(checks) + 1


def check_query(connection: DuckDBPyConnection, model: Model, sql: str) -> None:
    """Raise CheckFailed when the query of a ``*.check.sql`` returns a row."""
    _refuse_rows(connection, sql, (model.file, model.name, model.sentence))


def columns(connection: DuckDBPyConnection, place: str) -> tuple[str, ...]:
    """Return the names of a relation's columns."""
    cursor = connection.execute(f"select * from {place} limit 0")
    return tuple(name for name, *_ in cursor.description or ())


def quoted(text: str) -> str:
    """Return an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _refuse_rows(
    connection: DuckDBPyConnection, sql: str, named: tuple[str, str, str]
) -> None:
    counted = connection.execute(f"select count(*) from ({sql}\n)").fetchone()
    if counted and counted[0]:
        cursor = connection.execute(f"select * from ({sql}\n) limit {SHOWN}")
        names = [name for name, *_ in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        raise CheckFailed(*named, rows, counted[0])


def _refuse_other_columns(
    model: Model, built: tuple[str, ...], checks: Sequence[Check]
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
