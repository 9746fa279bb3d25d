"""What of a load is news: a record that is as it was held is not stored again."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipelines.ledger import changed
from pipelines.sources import streams_of
from pipelines.stream import Stream


@dataclass
class Tally:
    """What passes by while dlt takes it."""

    ledger: list[dict[str, Any]] = field(default_factory=list)
    changed: int = 0
    seen: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """Digest of each record of this package, by table, account and record id."""


def watch(source: Any, vendor: str, raw: Path, tally: Tally) -> None:  # noqa: ANN401
    """Count what passes, and hold back records that are as they were."""

    def note(table: pa.Table) -> pa.Table:
        tally.ledger += [row for row in table.to_pylist() if not row["split_of"]]
        return table

    for stream in {stream.table: stream for stream in streams_of(vendor)}.values():
        if stream.table in source.resources:
            source.resources[stream.table].add_map(_news_only(stream, raw, tally))
    source.resources["load_windows"].add_map(note)


def _news_only(
    stream: Stream, raw: Path, tally: Tally
) -> Callable[[pa.Table], pa.Table]:
    def keep(fresh: pa.Table) -> pa.Table:
        by_time = not stream.is_reference
        differing = changed(raw, stream.table, fresh, by_time=by_time)
        news = _news(fresh, stream.table, differing, tally)
        tally.changed += news.num_rows
        return news

    return keep


def _news(fresh: pa.Table, table: str, differing: set[int], tally: Tally) -> pa.Table:
    """Keep what differs from the last sight of it, in this package or before it."""
    news = []
    columns = (fresh[name].to_pylist() for name in ("account", "record_id", "payload"))
    for position, (account, record_id, payload) in enumerate(
        zip(*columns, strict=True)
    ):
        key, digest = (table, account, record_id), hash(payload)
        is_new = (
            tally.seen[key] != digest if key in tally.seen else position in differing
        )
        tally.seen[key] = digest
        if is_new:
            news.append(position)
    return fresh.take(pa.array(news, pa.int64()))
