"""The bugs that the harness must find: each is one that a loader of calls really gets.

None of them is in the product: `harness.launch` plants one of them into the processes
of a run. A harness that stays green with one of them would not find it in the product.
"""
# ruff: noqa: ANN401, SLF001 - what is replaced is private, and of any type

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from harness.events import CALM, Odds

from pipelines.extract import pagination, resources, window_reader
from pipelines.load import absences, loader, work_plan
from pipelines.warehouse import locks, records
from transforms.runner import checks


@dataclass(frozen=True)
class Bug:
    """One planted bug, and the histories in which it does harm."""

    plant: Callable[[], None]
    needs: str
    """What must happen before it shows."""
    odds: Mapping[str, Any] = field(default_factory=dict)
    """What the histories are full of; all else is calm."""
    night: str = "plain"
    vendors: tuple[str, ...] = ("twin", "whippy")
    seeds: tuple[int, ...] = (1, 2, 3)


def _everywhere(old: Any, new: Any) -> None:
    """Replace a function in every module of ours that has imported it."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("pipelines", "transforms")):
            for attribute, value in list(vars(module).items()):
                if value is old:
                    setattr(module, attribute, new)


def append_instead_of_merge() -> None:
    hinted = resources._hinted

    def appended(resource: Any, kind: str) -> Any:
        return (
            hinted(resource, kind).apply_hints(write_disposition="append") or resource
        )

    _everywhere(hinted, appended)


def trust_200() -> None:
    """Take what is not there for nothing, as most clients do."""

    def trusting(envelope: Any, key: str, shape: type[Any], _: str) -> Any:
        import msgspec  # noqa: PLC0415

        try:
            return msgspec.json.decode(envelope[key], type=shape, strict=False)
        except (KeyError, msgspec.DecodeError, ValueError):
            return [] if "list" in str(shape) else None

    _everywhere(pagination.checked, lambda envelope, _: envelope)
    _everywhere(pagination.promised, trusting)


def believe_the_last_total() -> None:
    """As many records as the last total says are not always those that there are."""
    window_reader.WindowRecords.agrees = property(  # type: ignore[method-assign, assignment]
        lambda self: self.total in {None, self.distinct}
    )
    window_reader.Reader._may_shift = lambda *_: False  # type: ignore[method-assign]


def skip_a_failed_window() -> None:
    read = resources._read

    def skipping(reader: Any, client: Any, asked: Any) -> Any:
        found = read(reader, client, asked)
        if found.error is None:
            return found
        for portion in found.portions:
            rows = [
                row | {"state": "complete", "reason": None, "error": None}
                for row in portion.ledger.to_pylist()
            ]
            ledger = pa.Table.from_pylist(rows, schema=portion.ledger.schema)
            object.__setattr__(portion, "ledger", ledger)
        return replace(found, error=None)

    _everywhere(read, skipping)


BETWEEN = "harness.between"
"""The event of a ledger that is stored, when its records are not."""


def ledger_before_data() -> None:
    """Commit the ledger of a load package before its records."""
    loader.BATCH_WINDOWS = 1  # the second package is of a day that no night reads again
    memory_for, load_batch = loader.memory_for, loader.load_batch
    now: list[Path] = []

    def batch(vendor: Any, warehouse: Any, *rest: Any, **more: Any) -> Any:
        now[:] = [warehouse.raw(vendor.name)]
        return load_batch(vendor, warehouse, *rest, **more)

    def early(tally: Any) -> dict[str, str]:
        rows = pa.Table.from_pylist(
            [{**row, "_dlt_load_id": "early"} for row in tally.ledger],
            resources.LEDGER.append(pa.field("_dlt_load_id", pa.string())),
        )
        with duckdb.connect(str(now[0])) as file:
            tables = {
                name
                for (name,) in file.execute(
                    "select table_name from duckdb_tables() where schema_name = 'raw'"
                ).fetchall()
            }
            if {"load_windows", "_dlt_loads"} <= tables:
                file.register("rows", rows)
                file.execute("insert into raw.load_windows by name from rows")
                file.execute(
                    "insert into raw._dlt_loads by name "
                    "select 'early' as load_id, 0 as status, now() as inserted_at"
                )
                sys.audit(BETWEEN)
        return memory_for(tally)

    _everywhere(load_batch, batch)
    _everywhere(memory_for, early)


def look_back_from_now() -> None:
    plan = work_plan.plan

    def short(
        stream: Any, start: datetime, now: datetime, reads: Any, *rest: Any, **more: Any
    ) -> Any:
        windows = plan(stream, start, now, reads, *rest, **more)
        since = now - max(stream.lookback, timedelta(days=1)) - timedelta(days=1)
        return [one for one in windows if not reads or one.end >= since]

    _everywhere(plan, short)


def start_at_the_newest() -> None:
    """Begin where the newest complete read ended, whatever failed before it."""
    plan = work_plan.plan

    def newest(
        stream: Any, start: datetime, now: datetime, reads: Any, *rest: Any, **more: Any
    ) -> Any:
        windows = plan(stream, start, now, reads, *rest, **more)
        own = [one for one in reads if one.stream == stream.name]
        done = [one.interval[1] for one in own if one.state == "complete"]
        return [one for one in windows if not done or one.end > max(done)]

    _everywhere(plan, newest)


def no_tombstone_for_an_empty_window() -> None:
    proves = absences._proves
    _everywhere(
        proves,
        lambda stream, row: bool(row["rows_inside"]) and proves(stream, row),
    )


def older_overwrites_newer() -> None:
    """Keep the version that is stored, though another came later."""
    compared = records.compared

    def kept(*arguments: Any) -> Any:
        found = compared(*arguments)
        fresh = arguments[2]
        known = _known(arguments[0], arguments[1])
        names = zip(
            fresh["account"].to_pylist(), fresh["record_id"].to_pylist(), strict=True
        )
        old = np.array([name in known for name in names], bool)
        return replace(found, is_same=found.is_same | old)

    _everywhere(compared, kept)


def _known(raw_file: Path, table: str) -> set[Any]:
    if not raw_file.exists():
        return set()
    with duckdb.connect(str(raw_file), read_only=True) as file:
        try:
            return set(
                file.execute(f"select account, record_id from raw.{table}").fetchall()
            )
        except duckdb.CatalogException:
            return set()


def _in_models(old: str, new: str) -> None:
    """Build from models whose SQL has another text in place of one."""
    read = Path.read_text

    def changed(self: Path, *rest: Any, **more: Any) -> str:
        text = read(self, *rest, **more)
        return text.replace(old, new) if "models" in self.parts else text

    Path.read_text = changed  # type: ignore[method-assign]


def float_money() -> None:
    _in_models("decimal(18, 6)", "double")


def local_time_as_utc() -> None:
    """Take a time without an offset for one of the machine's own zone."""
    from transforms.runner import times  # noqa: PLC0415

    read = times.read_time

    def local(text: str, zone: str | None = None) -> datetime:
        has_offset = text.endswith("Z") or "+" in text
        return read(text, zone) + timedelta(hours=0 if has_offset else 3)

    _everywhere(read, local)


def drop_nul() -> None:
    add = window_reader.Reader._add

    def dropping(
        self: Any, records: Any, spool: Any, record: bytes, *rest: Any
    ) -> None:
        add(self, records, spool, record.replace(b"\\u0000", b""), *rest)

    window_reader.Reader._add = dropping  # type: ignore[method-assign]


def lose_rows_and_fail() -> None:
    """No bug, but what a build meets that has one: rows are gone, a check notices."""
    from transforms.runner import build  # noqa: PLC0415

    apply, check = build._apply, checks.check_query

    def losing(run: Any, model: Any) -> None:
        apply(run, model)
        if model.table == build.CALLS:
            run.connection.execute(f"delete from {model.table}")

    def failing(_: Any, model: Any, __: str) -> None:
        raise checks.CheckFailed(model.file, model.name, "rows are gone", [], 1)

    _everywhere(apply, losing)
    _everywhere(check, failing)


def publish_before_verify() -> None:
    """Commit and publish what a check has refused."""
    from transforms.runner import build  # noqa: PLC0415

    check = build._run_check

    def late(run: Any, model: Any) -> None:
        try:
            check(run, model)
        except checks.CheckFailed:
            return

    _everywhere(check, late)


def no_lock() -> None:
    @contextmanager
    def nothing(*_: object, **__: object) -> Iterator[None]:
        yield

    _everywhere(locks.only_one, nothing)
    _everywhere(locks.in_turn, nothing)


BUGS: Mapping[str, Bug] = {
    "append": Bug(
        append_instead_of_merge, "a verdict that reopens a window", {"blank": 0.7}
    ),
    "trust_200": Bug(
        trust_200,
        "an answer 200 with an error in it",
        {"fault": 1, "answers": ("error200", "missing_key", "null_records")},
    ),
    "last_total": Bug(
        believe_the_last_total, "a deletion between two pages", {"meanwhile": 1}
    ),
    "skip_failed": Bug(
        skip_a_failed_window,
        "a window that fails, when others do not",
        {
            "first": True,
            "fault": 1,
            "answers": ("status",),
            "armed": {"status": 400, "after": 4, "times": None},
        },
        vendors=("whippy",),
    ),
    "ledger_first": Bug(
        ledger_before_data,
        "a kill of the first load between two commits",
        {"kill": ("whippy", BETWEEN)},
        night="killed",
        vendors=("whippy",),
        seeds=(6, 7),
    ),
    "from_now": Bug(look_back_from_now, "missed nights", night="missed"),
    "max_cursor": Bug(
        start_at_the_newest, "a correction of an older day", {"move": 1, "delete": 1}
    ),
    "no_tombstone": Bug(
        no_tombstone_for_an_empty_window,
        "a day that becomes empty",
        {"delete": 1, "empty": 1},
    ),
    "older_wins": Bug(older_overwrites_newer, "a late bill"),
    "float_money": Bug(float_money, "any call that costs something"),
    "local_time": Bug(
        local_time_as_utc, "a time without an offset", vendors=("voximplant",)
    ),
    "drop_nul": Bug(
        drop_nul, "a NUL in a text", {"fault": 1, "answers": ("nul_in_text",)}
    ),
    "unverified": Bug(publish_before_verify, "a check that fails", night="check_fails"),
    "no_lock": Bug(no_lock, "two runs at once", night="at_once"),
}


def history_of(bug: str) -> tuple[Odds, tuple[str, ...], tuple[int, ...]]:
    """Return what the histories are like in which a bug must be found."""
    planted = BUGS[bug]
    odds = Odds(**CALM | planted.odds, nights={planted.night: 1})
    return odds, planted.vendors, planted.seeds
