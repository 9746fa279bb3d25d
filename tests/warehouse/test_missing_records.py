"""Which stored records are missing from what a run has read."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from raw_files import RECORDS, RawFiles

from pipelines.planning.windows import DAY, SECOND, read_time
from pipelines.sources import streams_of
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.records import missing_of

OWN = read_time("2026-03-02T00:00:00Z")
"""A day that a run has read; the days beside were read to their end before."""
(CALLS,) = (one for one in streams_of("whippy") if one.table == "calls")


@pytest.mark.parametrize(
    ("at", "window_from", "is_listed_here"),
    [
        (OWN, OWN, True),
        # At a bound both days list it, whichever of them stored it last.
        (OWN + DAY - SECOND, OWN + DAY, True),
        (OWN, OWN - DAY, True),
        (OWN + SECOND, OWN - DAY, True),
        # A zone or a field of the vendor's own may be why only the other day lists it.
        (OWN + DAY - 2 * SECOND, OWN + DAY, False),
        (OWN + 2 * SECOND, OWN - DAY, False),
        (OWN + DAY / 2, OWN - DAY, False),
        # What is listed far from its time, such as by a change, is not of a day beside.
        (OWN + DAY / 2, OWN + 2 * DAY, True),
    ],
)
def test_a_record_is_missing_from_its_own_day_unless_only_another_lists_it(
    tmp_path: Path, at: object, window_from: object, *, is_listed_here: bool
) -> None:
    house = RawFiles(tmp_path)
    row = ("main", "a", at, window_from, OWN + timedelta(days=1), "{}")
    house.write("whippy", "calls", RECORDS, [row])
    spans = [("main", (OWN, OWN + DAY))]
    raw = Warehouse(tmp_path).raw("whippy")
    found = missing_of(raw, CALLS, spans, np.empty(0, np.uint64), since=2)
    assert [one.is_listed_here for one in found] == [is_listed_here]
