"""What the models make of records: cases worked by hand, all of them in one warehouse.

A case is a folder tests/cases/<group>/<case>: loads.jsonl (records as the vendor sends
them, each with the night that brings it and, where it matters, the minutes by which it
is read later), rate_cards.toml, rates.csv (exchange rates) and settings.toml where it
has some, and, for each table it is about, a CSV file with the rows it expects there and
the arithmetic above them. An empty cell is NULL. Each case has an account of its own,
of its name. Those of the group apart were worked out from the vendors' documents and
the definitions alone, before anybody looked at what the models make of them.
"""

import csv
import json
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from raw_files import NOW, RawFiles, Record

from pipelines.config.fx_rates import read_fx_rates
from pipelines.config.rate_cards import read_rate_cards
from pipelines.extract.source import SourceSettings
from pipelines.planning.windows import DAY, read_time
from pipelines.sources import settings_of

CASES = Path(__file__).parents[1] / "cases"
SEEDS = Path(__file__).parents[2] / "transforms/seeds"
FOLDERS = sorted(path.parent for path in CASES.glob("*/*/loads.jsonl"))
METRICS, RATES = "metrics.csv", "rates.csv"
EXPECTED = sorted(
    path.relative_to(CASES) for path in CASES.glob("*/*/*.csv") if path.name != RATES
)
OF_ACCOUNTS = {"currency", "region", "decimal_separator"}
"""Settings that an account of any vendor may have; others are those of its source."""
OF_CALLS = {
    "bridge_call_agents",
    "bridge_call_payers",
    "bridge_call_queues",
    "fact_call_attributes",
    "fact_call_costs",
    "fact_call_legs",
    "ops.call_changes",
    "ops.unmapped_values_by_call",
    "ops.unrated_calls",
}
"""Tables that have their account in the key of a call alone."""


def loads(folder: Path) -> Iterator[tuple[int, str, str, Record, int]]:
    """Yield night, vendor, table and record of a case, and how late it was read."""
    for line in (folder / "loads.jsonl").read_text("utf-8").splitlines():
        one = json.loads(line)
        record = (folder.name, one["id"], read_time(one["at"]), one["payload"])
        late = one.get("minutes", 0)
        yield one["load"], one["vendor"], one.get("table", ""), record, late


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory) -> RawFiles:
    """Give all cases after their last night."""
    names = Counter(folder.name for folder in FOLDERS)
    assert names.total() == len(names), "two cases would share an account"
    accounts: dict[str, list[str]] = defaultdict(list)
    nights: dict[int, dict[tuple[str, str], list[tuple[Record, int]]]] = defaultdict(
        dict
    )
    house = RawFiles(tmp_path_factory.mktemp("cases"), accounts=accounts)
    for folder in FOLDERS:
        if (cards := folder / "rate_cards.toml").exists():
            house.cards += read_rate_cards(cards, {})
        if (own := folder / "settings.toml").exists():
            values = tomllib.loads(own.read_text("utf-8"))
            placed = {name: values.pop(name) for name in OF_ACCOUNTS & values.keys()}
            house.places[folder.name] = placed
            shape = settings_of(values.pop("vendor")) if "vendor" in values else None
            house.settings[folder.name] = msgspec.convert(
                values, shape or SourceSettings
            )
        house.rates += read_fx_rates(folder / RATES)
        for night, vendor, table, record, late in loads(folder):
            nights[night].setdefault((vendor, table), []).append((record, late))
            if folder.name not in accounts[vendor]:
                accounts[vendor].append(folder.name)
    for night in sorted(nights):
        for (vendor, table), read in nights[night].items():
            records, minutes = zip(*read, strict=True)
            house.load(vendor, records, table, minutes)
        result = house.build()
        assert result.is_full == (night == 1), result.reason
    return house


def said(value: object) -> str:
    """Write a cell as a person does."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def read_expected(path: Path) -> tuple[list[str], list[list[str]]]:
    """Return the columns and the rows of a file of a case."""
    lines = (CASES / path).read_text("utf-8").splitlines()
    assert lines[0].startswith("# "), "say how the numbers come about"
    header, *rows = csv.reader(line for line in lines if not line.startswith("#"))
    assert all(len(row) == len(header) for row in rows)
    return header, sorted(rows)


def seed(name: str) -> list[dict[str, str]]:
    """Return the rows of a table of words."""
    with (SEEDS / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def metric(rated: RawFiles, account: str, row: list[Any]) -> Decimal | None:
    """Return a metric of all calls of an account, to the sixth digit."""
    relation, factor, numerator, denominator = row
    of_account = f"from {relation} where account = '{account}'"
    ((above, below),) = rated.query(
        f"select sum({numerator}), sum({denominator}) {of_account}"
    )
    if above is None or not below:
        return None
    value = round(factor * Fraction(above) / Fraction(below) * 10**6)
    return Decimal(value).scaleb(-6)


@pytest.mark.parametrize(
    "expected", [path for path in EXPECTED if path.name != METRICS], ids=str
)
def test_a_case_comes_out_as_worked_by_hand(rated: RawFiles, expected: Path) -> None:
    header, rows = read_expected(expected)
    table, case = expected.name.removesuffix(".csv"), expected.parent.name
    account = "split_part(call_key, ':', 2)" if table in OF_CALLS else "account"
    found = rated.query(
        f"select {', '.join(header)} from {table} where {account} = '{case}'"
    )
    assert sorted([said(cell) for cell in row] for row in found) == rows


@pytest.mark.parametrize(
    "expected", [path for path in EXPECTED if path.name == METRICS], ids=str
)
def test_metrics_of_a_case_are_those_worked_by_hand(
    rated: RawFiles, expected: Path
) -> None:
    _, rows = read_expected(expected)
    metrics = rated.query(
        "select metric, variant, relation, factor, numerator, denominator"
        " from dim_metrics"
    )
    found = [
        [name, variant, said(metric(rated, expected.parent.name, how))]
        for name, variant, *how in metrics
    ]
    assert sorted(found) == rows


def test_the_metrics_of_dates_add_up_to_those_of_the_marts(rated: RawFiles) -> None:
    """Each formula is asked of its mart, and then of the sums of daily_metrics."""
    formulas = rated.query(
        "select metric, variant, relation, numerator, denominator from dim_metrics"
    )
    expected = []
    for metric, variant, relation, above, below in formulas:
        sums = f"sum({above}) as above, sum({below}) as below from {relation}"
        keys = f"'{metric}', '{variant}', vendor, account"
        expected += rated.query(f"select {keys}, {sums} group by all having below != 0")
    found = rated.query(
        "select metric, variant, vendor, account, sum(numerator), sum(denominator)"
        " from daily_metrics group by all having sum(denominator) != 0"
    )
    assert sorted(found, key=repr) == sorted(expected, key=repr)
    assert {(one[0], one[1]) for one in found} == {(one[0], one[1]) for one in formulas}


def test_a_metric_of_a_date_is_its_quotient_to_the_sixth_digit(rated: RawFiles) -> None:
    quotients = rated.query(
        "select factor, numerator, denominator, value from daily_metrics"
        " where value is not null"
    )
    for factor, above, below, value in quotients:
        exact = factor * Fraction(above) / Fraction(below) * 10**6
        assert value.scaleb(6) == floor(exact + Fraction(1, 2)), (above, below)
    assert len(quotients) > len(FOLDERS)


def test_every_date_from_the_first_call_on_has_its_calendar(rated: RawFiles) -> None:
    """No day of any account was read as a whole here, so none is complete for all."""
    ((first,),) = rated.query("select min(call_date) from fact_calls")
    days = (date(NOW.year + 1, 1, 1) - date(first.year, 1, 1)).days
    dates = [date(first.year, 1, 1) + number * DAY for number in range(days)]
    expected = [
        (
            *(one, one.year, (one.month + 2) // 3, one.month, one.replace(day=1)),
            *(*one.isocalendar(), one.isoweekday() in {6, 7}, False),
        )
        for one in dates
    ]
    found = rated.query(
        "select date, year, quarter, month, month_start, iso_year, iso_week, weekday,"
        " is_weekend, is_complete_for_all from dim_dates order by date"
    )
    assert found == expected


def test_every_mapped_word_is_in_a_case(rated: RawFiles) -> None:
    words = rated.query(
        "select vendor, vendor_outcome from fact_calls"
        " union select split_part(call_key, ':', 1), end_code from fact_call_legs"
    )
    assert {(row["vendor"], row["vendor_outcome"]) for row in seed("outcomes")} <= {
        *words
    }
    components = rated.query(
        "select split_part(call_key, ':', 1), vendor_component from fact_call_costs"
    )
    for row in seed("cost_components"):
        assert any(
            vendor == row["vendor"] and fnmatchcase(word, row["vendor_component"])
            for vendor, word in components
            if word is not None
        ), row


def test_a_value_that_nothing_maps_counts_its_calls_from_the_first_on(
    rated: RawFiles,
) -> None:
    seen: dict[tuple[str, ...], list[Any]] = defaultdict(list)
    for *value, at in rated.query(
        "select vendor, field, value, first_loaded_at from ops.unmapped_values_by_call"
    ):
        seen[(*value,)].append(at)
    assert any(len(set(times)) > 1 for times in seen.values())
    found = rated.query(
        "select vendor, field, value, calls, first_seen_at from ops.unmapped_values"
    )
    expected = [(*value, len(times), min(times)) for value, times in seen.items()]
    assert sorted(found) == sorted(expected)


def test_of_an_erased_call_no_column_names_the_customer(rated: RawFiles) -> None:
    """Our own number stays beside it."""
    named = rated.query(
        "select table_schema || '.' || table_name, column_name from ops.data_dictionary"
        " where personal = 'customer'"
    )
    calls = "select call_key, is_erased as is_gone, business_number as ours"
    for table, column in named:
        ((shown_of_erased, shown),) = rated.query(
            f"select count(*) filter (where is_gone), count(*) from {table} as one"
            f" join ({calls} from fact_calls) using (call_key)"
            f" where '+' || ltrim(one.{column}, '+') != coalesce(ours, '')"
        )
        assert (shown_of_erased, shown > 0) == (0, True), (table, column)
    ((erased,),) = rated.query(
        "select count(*) from fact_calls join fact_call_legs using (call_key)"
        " where is_erased"
    )
    assert erased > 0
    assert len(named) == len(["customer_number", "from_party", "to_party"])


@pytest.mark.soak
def test_cases_come_out_the_same_from_nothing(rated: RawFiles) -> None:
    nightly = rated.tables()
    rated.build(full=True)
    assert rated.tables() == nightly
