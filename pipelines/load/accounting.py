"""What became of each record that a window brought: stored, unchanged or in quarantine.

The three are counted where records are handed to the load package, and compared with
what the reader says it received: a record that got lost between the two would else be
noticed by nobody. A window whose numbers differ stays open, and the run fails.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import pyarrow as pa

from pipelines.planning.reasons import BEGUN, UNBALANCED

Place: TypeAlias = tuple[str, str, datetime, datetime]
"""Table (in quarantine: stream), account, window, and when its read began."""
Row: TypeAlias = dict[str, Any]


@dataclass
class Accounts:
    """The records of a run by the read that brought them."""

    stored: Counter[Place] = field(default_factory=Counter)
    unchanged: Counter[Place] = field(default_factory=Counter)
    quarantined: Counter[Place] = field(default_factory=Counter)
    waiting: list[Row] = field(default_factory=list)
    """The rows of the ledger whose load package is not complete yet."""

    def add(self, table: str, fresh: pa.Table, stored: pa.Table) -> None:
        """Add records that came, some of which are stored."""
        of_all, of_stored = _places(table, fresh), _places(table, stored)
        self.stored += of_stored
        self.unchanged += of_all - of_stored

    def add_unreadable(self, fresh: pa.Table) -> None:
        """Add records that are stored in quarantine."""
        for row in fresh.select(["stream", *_KEYS]).to_pylist():
            self.quarantined[row["stream"], *(row[name] for name in _KEYS)] += 1

    def hold(self, rows: pa.Table) -> None:
        """Keep rows of the ledger back until all records are counted."""
        self.waiting += rows.to_pylist()

    def closed(self, table_of: Callable[[str], str]) -> Iterator[Row]:
        """Yield the rows of the ledger that were kept back, with what is counted."""
        waiting, self.waiting = self.waiting, []
        for row in waiting:
            yield self._closed(row, table_of(row["stream"]))

    def _closed(self, row: Row, table: str) -> Row:
        if row["rows_received"] is None or row["reason"] == BEGUN:
            return row
        place = row["account"], row["window_start"], row["started_at"]
        row |= {
            "rows_stored": self.stored[table, *place],
            "rows_unchanged": self.unchanged[table, *place],
        }
        quarantined = self.quarantined[row["stream"], *place]
        known = row["rows_stored"] + row["rows_unchanged"] + quarantined
        if known == row["rows_received"] and quarantined == row["rows_quarantined"]:
            return row
        sentence = (
            f"{row['stream']} {row['window_start']:%Y-%m-%d}: "
            f"{row['rows_received']} records came, but {row['rows_stored']} are "
            f"stored, {row['rows_unchanged']} unchanged and {quarantined} in "
            "quarantine; the window is open and is read again in the next run, please "
            "report it"
        )
        return row | {"state": "partial", "reason": UNBALANCED, "error": sentence}


_KEYS = ("account", "window_from", "fetched_at")


def _places(table: str, rows: pa.Table) -> Counter[Place]:
    counted = rows.group_by(list(_KEYS)).aggregate([([], "count_all")])
    places = (counted[name].to_pylist() for name in (*_KEYS, "count_all"))
    return Counter({(table, *key): count for *key, count in zip(*places, strict=True)})
