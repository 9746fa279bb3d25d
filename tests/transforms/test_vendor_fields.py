"""What becomes of the fields that a vendor documents, and of those that it does not."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from raw_files import NOW, RawFiles, Record

from pipelines.planning.windows import DAY
from pipelines.sources import documented_fields, streams_of, vendors

TWIN = {"callId": "a", "duration": 60, "nps": "9", "companyId": 4711}


def twin(name: str, at: datetime, **more: object) -> Record:
    moment = at.isoformat()
    payload = {**TWIN, "callId": name, "createdAt": moment, **more}
    return "main", name, at, {key: one for key, one in payload.items() if one != "-"}


class Nights(RawFiles):
    """A warehouse of TWIN that gets a load a day, and other vendors' where it matters.

    Whippy has a table of the same name, and Zoom two tables with a field of one name.
    """

    def night(self, day: int, calls: int = 10, **more: object) -> None:
        """Load calls of a day so many days before the last, with fields of theirs."""
        at = NOW - day * DAY
        self.pace = timedelta()
        records = [twin(f"{day}-{n}", at, **more) for n in range(calls)]
        self.fetched = at + DAY / 4
        self.load("twin", records)

    def others(self, day: int, calls: int = 10, **more: object) -> None:
        """Load calls of Whippy and Zoom of that day."""
        at = NOW - day * DAY
        self.fetched = at + DAY / 4
        payload = {"created_at": at.isoformat(), "duration": "60", "nps": "9", **more}
        ids = [f"{day}-{n}" for n in range(calls)]
        self.load("whippy", [("main", one, at, {"id": one, **payload}) for one in ids])
        for table, direction in (("voice_calls", "inbound"), ("engagements", 1)):
            parts = {"start_time": at.isoformat(), "direction": direction}
            records = [
                ("main", one, at, {"engagement_id": one, **parts}) for one in ids
            ]
            self.load("zoom", records, table)


@pytest.fixture
def house(tmp_path: Path) -> Nights:
    vendors = ("twin", "whippy", "zoom")
    return Nights(tmp_path, accounts=dict.fromkeys(vendors, ("main",)))


def changes(house: RawFiles) -> list[tuple[Any, ...]]:
    return house.query(
        "select path, change, noticed_on, before, now, example from ops.field_changes"
        " where vendor = 'twin' order by all"
    )


def day(before: int) -> date:
    return (NOW - before * DAY).date()


def test_a_field_that_no_document_has_is_told_with_a_masked_example(
    house: Nights,
) -> None:
    house.night(9)
    house.night(3, surcharge="2 Euro and more")
    house.night(2, surcharge="1.50 Euro", fees=[{"kind": "late", "+12025550123": 1}])
    house.build()
    assert changes(house) == [
        ("fees[].+#", "new", day(2), None, "number", "9"),
        ("fees[].kind", "new", day(2), None, "text", "xxxx"),
        ("surcharge", "new", day(3), None, "text", "9 xxxx xxx xxxx"),
    ]


@pytest.mark.soak
def test_a_field_that_has_gone_is_told_and_one_that_few_had_is_not(
    house: Nights,
) -> None:
    for before in range(30, 6, -1):
        house.night(before, emotion="glad" if before % 3 == 0 else None)
    for before in range(6, 0, -1):
        # More of them than of the month before, in which over half had it.
        house.night(before, calls=50, nps=None, companyId="-", emotion=None)
    house.others(20)
    house.others(2)
    house.build()
    assert changes(house) == [
        ("companyId", "gone", day(0), "number", None, None),
        ("nps", "gone", day(0), "text", None, None),
    ]


def test_a_week_with_too_few_records_proves_nothing(house: Nights) -> None:
    house.night(20)
    house.night(2, calls=9, nps=None)
    house.build()
    assert changes(house) == []


def test_an_old_day_that_is_read_late_shows_no_change(house: Nights) -> None:
    house.night(20)
    at = NOW - 200 * DAY
    house.fetched = NOW - DAY
    house.load("twin", [twin(f"old-{n}", at, nps="-") for n in range(30)])
    house.build()
    assert changes(house) == []


def test_records_that_differ_in_their_types_are_all_counted(house: Nights) -> None:
    at = NOW - 2 * DAY
    nps = ["9", 9, None, [], "-", "9", 9.5, -1]
    house.load("twin", [twin(f"{n}", at, nps=one) for n, one in enumerate(nps)])
    house.build()
    counted = house.query(
        "select path, type, versions, loaded from ops.field_reads"
        " where path in ('duration', 'nps') order by all"
    )
    assert counted == [
        ("duration", "number", 8, 8),
        ("nps", "list", 1, 8),
        ("nps", "null", 1, 8),
        ("nps", "number", 3, 8),
        ("nps", "text", 2, 8),
    ]


def test_each_account_of_a_load_is_counted_by_itself(tmp_path: Path) -> None:
    house = Nights(tmp_path, accounts={"twin": ("main", "second")})
    calls = [twin(name, NOW - DAY) for name in ("a", "b", "c")]
    house.load("twin", [*calls[:2], ("second", *calls[2][1:])])
    house.build()
    counted = house.query(
        "select distinct account, path, versions, loaded from ops.field_reads "
        "where path = 'nps' order by all"
    )
    assert counted == [("main", "nps", 2, 2), ("second", "nps", 1, 1)]


def test_another_type_of_value_is_told(house: Nights) -> None:
    house.night(7)  # the last day of the month before
    house.night(3, duration="60")
    house.night(2, nps=9, duration="60")
    house.others(20)
    house.others(2)
    house.build()
    assert changes(house) == [
        ("duration", "type", day(3), "number", "text", None),
        ("nps", "type", day(2), "text", "number", None),
    ]
    others = "select path, change from ops.field_changes where vendor != 'twin'"
    assert house.query(others) == [("nps", "new")]


def test_null_and_a_type_of_more_than_a_month_ago_are_no_change(house: Nights) -> None:
    house.night(50, nps=9)
    house.night(20)
    house.night(2, nps=None)
    house.night(1)
    house.build()
    assert changes(house) == []


def test_what_is_below_a_field_that_is_documented_as_a_whole_is_not_looked_into(
    house: Nights,
) -> None:
    house.night(2, allResults={"any": {"thing": 1}}, additional=[{"x": 1}])
    house.build()
    assert changes(house) == []


def test_the_mark_of_an_erasure_is_no_field_of_the_vendors(house: Nights) -> None:
    house.night(2, callhouse_erased=True)
    house.build()
    assert changes(house) == []


def test_every_field_says_where_it_lands_and_how_many_records_have_it(
    house: Nights,
) -> None:
    house.night(40, calls=5)  # too old to be counted in a share
    house.night(9)
    house.others(9)
    house.build()
    house.night(2, nps=None, brand="x")
    assert not house.build().is_full  # the last load is added to the others
    found = {
        row[0]: row[1:]
        for row in house.query(
            "select path, is_documented, lands, unused is not null, types,"
            " first_read_on, last_read_on, share::double from ops.vendor_fields"
            " where vendor = 'twin'"
        )
    }
    last = (day(40), day(2))
    assert found["callId"] == (
        *(True, "fact_calls.vendor_call_id", False, "text", *last, 1.0),
    )
    assert found["nps"] == (
        *(True, "fact_calls.nps", False, "text", day(40), day(9), 0.5),
    )
    assert found.pop("brand") == (False, None, False, "text", day(2), day(2), 0.5)
    assert found["gender"] == (True, None, True, None, None, None, 0.0)
    assert found.keys() == {one.path for one in documented_fields("twin")}


def test_fields_of_records_that_did_not_come_lately_are_listed_without_a_share(
    house: Nights,
) -> None:
    house.night(40)
    house.build()
    found = house.query(
        "select vendor, record, path, share, first_read_on from ops.vendor_fields"
    )
    listed = {(vendor, record, path) for vendor, record, path, *_ in found}
    assert len(listed) == len(found)
    assert listed == {
        (vendor, one.record, one.path)
        for vendor in vendors()
        for one in documented_fields(vendor)
    }
    assert {share for *_, share, _ in found} == {None}
    dated = {vendor for vendor, *_, first in found if first is not None}
    assert dated == {"twin"}


@pytest.mark.soak
def test_a_full_build_counts_what_the_builds_of_each_load_counted(
    house: Nights,
) -> None:
    for before in (3, 2, 1):
        house.night(before, brand=["new", 1])
        house.build()
    counted = house.query("from ops.field_reads order by all")
    house.build(full=True)
    assert house.query("from ops.field_reads order by all") == counted


@pytest.mark.parametrize("vendor", vendors())
def test_every_documented_field_lands_in_a_column_or_has_a_reason(
    vendor: str, house: Nights
) -> None:
    house.build()
    columns = {
        name
        for schema, table, column in house.query(
            "select table_schema, table_name, column_name from ops.data_dictionary"
        )
        for name in (f"{table}.{column}", f"{schema}.{table}.{column}")
    }
    fields = documented_fields(vendor)
    assert len(fields) > 10
    assert len({(one.record, one.path) for one in fields}) == len(fields)
    tables = {stream.table for stream in streams_of(vendor)}
    for one in fields:
        assert one.record in tables, one
        assert one.unused or {*one.lands.split()} <= columns, one
        assert one.lands, one
