"""What the models make of an account depends on no other account and vendor.

The records of all cases are given accounts and ids that are the same at every vendor,
and ids that are the same in every account. Built together they must be what they are
when the accounts of each vendor are built in two halves, alone.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from conftest import VENDORS
from raw_files import RawFiles, Record
from test_cases import FOLDERS, loads

from pipelines.config.rate_cards import RateCard, read_rate_cards

pytestmark = pytest.mark.soak
Part: TypeAlias = tuple[str, int]
"""A vendor, and which half of its accounts."""
Load: TypeAlias = tuple[str, str, list[tuple[Record, int]]]
"""Vendor, table, and records with how much later they were read, in minutes."""


@dataclass
class Alike:
    """All cases that need no settings of their own, with accounts and ids alike."""

    accounts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    cards: list[RateCard] = field(default_factory=list)
    nights: dict[int, list[Load]] = field(default_factory=lambda: defaultdict(list))

    def add(self, folder: Path) -> None:
        names: dict[str, str] = {}
        ids: dict[str, dict[str, str]] = defaultdict(dict)
        for night, vendor, table, record, late in loads(folder):
            if vendor not in names:
                names[vendor] = f"account_{len(self.accounts[vendor])}"
                self.accounts[vendor].append(names[vendor])
            _, name, at, payload = record
            name = ids[vendor].setdefault(name, str(len(ids[vendor])))
            own = (names[vendor], name, at, payload)
            self.nights[night].append((vendor, table, [(own, late)]))
        if (cards := folder / "rate_cards.toml").exists():
            self.cards += [
                replace(one, account=names[one.vendor])
                for one in read_rate_cards(cards, {})
                if one.account and one.vendor in names
            ]

    def loads(self) -> Iterator[Load]:
        """Yield a load for each night, vendor and table, in this order."""
        for night in sorted(self.nights):
            joined: dict[tuple[str, str], list[tuple[Record, int]]] = defaultdict(list)
            for vendor, table, records in self.nights[night]:
                joined[vendor, table] += records
            for (vendor, table), records in joined.items():
                yield vendor, table, records

    def build(self, folder: Path, part: Part | None = None) -> RawFiles:
        """Build all accounts, or those of a part alone, with the same loads."""
        accounts = {
            vendor: [one for one in own if part in (None, part_of(vendor, one))]
            for vendor, own in self.accounts.items()
        }
        house = RawFiles(folder, accounts=accounts, cards=tuple(self.cards))
        for number, (vendor, table, read) in enumerate(self.loads()):
            kept = [one for one in read if one[0][0] in accounts[vendor]]
            house.loads = number
            if kept:
                records, minutes = zip(*kept, strict=True)
                house.load(vendor, records, table, minutes)
        house.build()
        return house


BY_CUSTOMER = {
    "main.daily_repeat_calls": "false",
    "main.daily_metrics": "metric not in ('repeat_calls', 'first_contact_resolution')",
}
"""What is compared of tables that know a customer again at any vendor and account."""


def part_of(vendor: str, account: str) -> Part:
    return vendor, int(account.removeprefix("account_")) % 2


@pytest.fixture(scope="module")
def alike() -> Alike:
    found = Alike()
    for folder in FOLDERS:
        if not (folder / "settings.toml").exists():
            found.add(folder)
    return found


@pytest.fixture(scope="module")
def together(alike: Alike, tmp_path_factory: pytest.TempPathFactory) -> RawFiles:
    return alike.build(tmp_path_factory.mktemp("together"))


def rows_of(house: RawFiles, part: Part) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of a part, in each table that says whose its rows are."""
    columns: dict[str, list[str]] = defaultdict(list)
    for table, column in house.query(
        "select schema_name || '.' || table_name, column_name from duckdb_columns()"
        " where database_name = current_database() and not internal"
        " and table_name not like 'built%'"
    ):
        columns[table].append(column)
    found = {}
    for table, own in columns.items():
        if {"vendor", "account"} <= {*own}:
            vendor, account = "vendor", "account"
        elif "call_key" in own:
            vendor, account = (
                f"split_part(call_key, ':', {place})" for place in (1, 2)
            )
        else:
            continue
        found[table] = house.query(
            f"from {table} where {vendor} = '{part[0]}'"
            f" and right({account}, 1)::int % 2 = {part[1]}"
            f" and {BY_CUSTOMER.get(table, 'true')} order by all"
        )
    return found


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("vendor", VENDORS)
def test_accounts_are_built_as_they_are_alone(
    alike: Alike, together: RawFiles, vendor: str, half: int, tmp_path: Path
) -> None:
    part = vendor, half
    alone = rows_of(alike.build(tmp_path, part), part)
    beside = rows_of(together, part)
    assert alone["main.fact_calls"]
    assert [name for name, rows in alone.items() if rows != beside[name]] == []
