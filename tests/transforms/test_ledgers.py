"""What the ledgers say of windows and of quarantine, from reads written by hand."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from raw_files import LEDGER, RawFiles

from pipelines.sources import settings_of

TOTALS = "vendor_total bigint, reason varchar, _dlt_load_id"
LEDGER_WITH_TOTALS = LEDGER.replace("_dlt_load_id", TOTALS)
QUARANTINE = (
    "account varchar, stream varchar, window_from timestamptz, window_to timestamptz,"
    " record_no bigint, reason varchar, payload varchar, fetched_at timestamptz,"
    " _dlt_load_id varchar, load_no bigint"
)
DAY = datetime(2026, 3, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Read(msgspec.Struct, frozen=True):
    """A read of 30 March, or of hours from its begin on, at an hour of 2 April."""

    load: int = 2
    at: int = 10
    start: int = 0
    end: int = 24
    state: str = "complete"
    rows: int = 4
    aside: int = 1
    total: int | None = None
    purpose: str = "nightly"
    split_of: str | None = None
    reason: str | None = None
    stream: str = "calls"
    vendor: str = "whippy"

    @property
    def begun(self) -> datetime:
        return datetime(2026, 4, 2, tzinfo=UTC) + self.at * HOUR


R = Read
VERDICTS: dict[str, tuple[str | None, list[Read]]] = {
    "all of them": ("matched", [R(total=5)]),
    "one is not there": ("mismatched", [R(total=6)]),
    "as its vendor says": (
        "vendor_counts_more",
        [R(total=6, reason="vendor_counts_more")],
    ),
    "as many all the same": ("matched", [R(total=5, reason="vendor_counts_more")]),
    "another reason": ("mismatched", [R(total=6, reason="short")]),
    "no total": ("no_total", [R()]),
    "failed": ("not_read", [R(total=5, state="failed")]),
    "partial": ("mismatched", [R(total=6, state="partial")]),
    "unreachable": (None, [R(total=5, state="unreachable")]),
    "the later load": ("matched", [R(total=6, load=1, at=11), R(total=5)]),
    "the later of a load": ("matched", [R(total=5, at=11), R(total=6)]),
    "not for its calls": ("matched", [R(total=5), R(at=11, purpose="settle")]),
    "not for its total": ("matched", [R(total=5), R(at=11, purpose="audit")]),
    "not a part": ("matched", [R(total=5), R(at=11, split_of="whole")]),
    "a window that grew": ("matched", [R(total=6, end=9), R(total=5, at=11)]),
}
OPEN: dict[str, tuple[bool, list[Read]]] = {
    "never again": (True, []),
    "read again": (False, [R(load=3)]),
    "by a slow clock": (False, [R(load=3, at=1)]),
    "later in its load": (False, [R(at=11)]),
    "at its own read": (True, [R()]),
    "by an earlier load": (True, [R(load=1, at=11)]),
    "by a longer window": (False, [R(load=3, start=-24, end=48)]),
    "begun later": (True, [R(load=3, start=1)]),
    "ended earlier": (True, [R(load=3, end=23)]),
    "in part": (True, [R(load=3, state="partial")]),
    "failed": (True, [R(load=3, state="failed")]),
    "for its calls": (True, [R(load=3, purpose="settle")]),
    "by a backfill": (False, [R(load=3, purpose="backfill")]),
    "a part of it": (True, [R(load=3, split_of="whole")]),
    "another stream": (True, [R(load=3, stream="others")]),
    "another vendor": (True, [R(load=3, vendor="twin")]),
}
ACCOUNTS = {
    **{f"verdict: {name}": reads for name, (_, reads) in VERDICTS.items()},
    **{f"open: {name}": reads for name, (_, reads) in OPEN.items()},
}


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> RawFiles:
    """Give all of it in one warehouse: an account for each, of both vendors."""
    house = RawFiles(
        tmp_path_factory.mktemp("ledgers"),
        {"whippy": [*ACCOUNTS], "twin": [*ACCOUNTS]},
    )
    for vendor in house.accounts:
        fields = msgspec.structs.fields(settings_of(vendor))
        needed: dict[str, Any] = {one.name: "any" for one in fields if one.required}
        house.settings[vendor] = settings_of(vendor)(**needed)
    rows: dict[tuple[int, str], list[tuple[Any, ...]]] = defaultdict(list)
    for account, reads in ACCOUNTS.items():
        for one in reads:
            window = (DAY + one.start * HOUR, DAY + one.end * HOUR)
            rows[one.load, one.vendor].append(
                (
                    *(account, one.stream, *window, one.purpose, one.state),
                    *(one.rows, one.aside, 1, one.begun, None, one.split_of),
                    *(one.begun, one.total, one.reason),
                )
            )
    for load in (1, 2, 3):
        house.loads = load - 1
        house.write("whippy", "load_windows", LEDGER_WITH_TOTALS, rows[load, "whippy"])
    house.write("twin", "load_windows", LEDGER_WITH_TOTALS, rows[3, "twin"])
    house.loads = 1
    aside = [
        (name, "calls", DAY, DAY + 24 * HOUR, 1, "no id", "{}", R().begun)
        for name in ACCOUNTS
        if name.startswith("open: ")
    ]
    house.write("whippy", "quarantine", QUARANTINE, aside)
    house.build()
    return house


def test_a_window_is_judged_by_its_last_read(ledgers: RawFiles) -> None:
    found = ledgers.query(
        "select account, verdict from ops.reconciliation"
        " where starts_with(account, 'verdict: ')"
    )
    expected = {name: verdict for name, (verdict, _) in VERDICTS.items() if verdict}
    assert {account.removeprefix("verdict: "): it for account, it in found} == expected
    assert len(found) == len(expected)


def test_a_record_is_in_quarantine_until_its_window_was_read_again(
    ledgers: RawFiles,
) -> None:
    found = ledgers.query("select account, is_open from ops.quarantine")
    assert {account.removeprefix("open: "): it for account, it in found} == {
        name: is_open for name, (is_open, _) in OPEN.items()
    }
