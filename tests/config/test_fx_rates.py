"""Exchange rates: from the bank's file into the table, and from there onto calls."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from string import ascii_uppercase

import pytest
from raw_files import RawFiles, whippy_call
from typer.testing import CliRunner
from vendor_server import VendorServer

from pipelines.cli.app import app
from pipelines.config.fx_rates import FX_RATES, FxRate, rates_of, read_fx_rates
from pipelines.config.loader import read_config
from pipelines.config.rate_cards import RateCard
from pipelines.config.toml_file import ConfigError

HEADER = "date,from_currency,to_currency,rate,source\n"
HISTORY = """Date,USD,JPY,RUB,
2026-03-05,1.0865,160.25,N/A,
2026-03-04,1.0800,160.00,N/A,
"""
LAST_DAY = "Date, USD, JPY, \n6 March 2026, 1.0900, 161.5, \n"


def run_import(folder: Path, text: str, *more: str) -> tuple[int, str]:
    """Import a file of the bank's; return the exit code and all that was said."""
    file = folder / "eurofxref.csv"
    file.write_text(text)
    said = CliRunner().invoke(
        app, ["fx", "import", str(file), "--config", str(folder), *more]
    )
    return said.exit_code, said.output


def test_an_imported_file_is_a_table_that_a_hand_can_correct(tmp_path: Path) -> None:
    code, said = run_import(tmp_path, HISTORY)
    assert code == 0
    assert said == (
        "rates of 2 currencies for 2 days, 2026-03-04 to 2026-03-05: 4 new, 0 replaced,"
        " the others as they were\n"
    )
    assert (tmp_path / FX_RATES).read_text() == HEADER + (
        "2026-03-04,EUR,JPY,160.00,ECB\n"
        "2026-03-04,EUR,USD,1.0800,ECB\n"
        "2026-03-05,EUR,JPY,160.25,ECB\n"
        "2026-03-05,EUR,USD,1.0865,ECB\n"
    )


def test_the_last_day_comes_to_the_days_before_and_twice_is_once(
    tmp_path: Path,
) -> None:
    run_import(tmp_path, HISTORY)
    code, said = run_import(tmp_path, LAST_DAY)
    assert code == 0
    assert "rates of 2 currencies for 1 days, 2026-03-06 to 2026-03-06: 2 new" in said
    before = (tmp_path / FX_RATES).read_bytes()
    code, said = run_import(tmp_path, LAST_DAY)
    assert "0 new, 0 replaced" in said
    assert (tmp_path / FX_RATES).read_bytes() == before


def test_a_rate_that_differs_replaces_the_one_of_its_day_and_is_told(
    tmp_path: Path,
) -> None:
    by_hand = "2026-03-04,EUR,USD,1.07,the invoice\n2026-03-04,EUR,RUB,90,ours\n"
    (tmp_path / FX_RATES).write_text(HEADER + by_hand)
    code, said = run_import(tmp_path, HISTORY, "--from", "2026-03-04")
    assert code == 0
    assert "replaced: 2026-03-04 EUR to USD was 1.07 (the invoice), is 1.0800" in said
    rates = {one.key: one.rate for one in read_fx_rates(tmp_path / FX_RATES)}
    assert rates[date(2026, 3, 4), "EUR", "USD"] == Decimal("1.08")
    assert rates[date(2026, 3, 4), "EUR", "RUB"] == 90


def test_older_days_can_be_left_out(tmp_path: Path) -> None:
    run_import(tmp_path, HISTORY, "--from", "2026-03-05")
    assert {one.date for one in read_fx_rates(tmp_path / FX_RATES)} == {
        date(2026, 3, 5)
    }


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("Date", "Datum", "line 1: begins with 'Datum,USD,JPY,RUB,', not with 'Date,"),
        (
            "JPY",
            "USD",
            "line 1: 'USD' is not a currency or stands twice; get the file",
        ),
        ("2026-03-04", "2026-03-05", "line 3: 2026-03-05 stands in line 2 too; get"),
        ("2026-03-04", "4 Maart 2026", "line 3: '4 Maart 2026' is not a date; get the"),
        ("1.0865", "1,0865", "line 2: has 6 cells under 5 columns; get the file again"),
        (
            "1.0865",
            "-1.0865",
            "line 2, USD: '-1.0865' is not a rate; write one above 0",
        ),
        ("1.0865", "0", "line 2, USD: '0' is not a rate; write one above 0"),
        ("1.0865", "", "line 2, USD: '' is not a rate; write one above 0"),
        (HISTORY, "PK\x03\x04\x00", "begins with 'PK"),
        (HISTORY, "Date,USD,\n", "has no rate; get the file again"),
    ],
)
def test_a_file_that_is_not_the_banks_is_refused_and_nothing_changes(
    tmp_path: Path, right: str, wrong: str, sentence: str
) -> None:
    run_import(tmp_path, HISTORY)
    before = (tmp_path / FX_RATES).read_bytes()
    code, said = run_import(tmp_path, HISTORY.replace(right, wrong))
    assert code == 2
    assert f"callhouse: {tmp_path / 'eurofxref.csv'}" in said
    assert sentence in said
    assert (tmp_path / FX_RATES).read_bytes() == before


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("2026-03-04,EUR,USD,1.08,ECB", "line 3: EUR to USD of 2026-03-04 stands in"),
        (
            "4.3.2026,EUR,USD,1.08,ECB",
            "line 3: '4.3.2026' is not a date; write it like",
        ),
        (
            "2026-03-05,EUR,usd,1.08,ECB",
            "line 3: 'usd' is not a currency; write its ISO",
        ),
        ("2026-03-05,USD,USD,1,ECB", "line 3: USD to itself is always 1; delete"),
        (
            "2026-03-05,EUR,USD,1e3,ECB",
            "line 3: '1e3' is not a rate; write one above 0",
        ),
        ("2026-03-05,EUR,USD,1,08,ECB", "line 3: has 6 cells, not 5; write date,from"),
        ("2026-03-05,EUR,USD,1.08,ECB,", "line 3: has 6 cells, not 5; write date,from"),
    ],
)
def test_a_table_with_a_fault_starts_no_run(
    tmp_path: Path, line: str, sentence: str
) -> None:
    (tmp_path / FX_RATES).write_text(f"{HEADER}2026-03-04,EUR,USD,1.08,ECB\n{line}\n")
    with pytest.raises(ConfigError, match=FX_RATES) as error:
        rates_of(read_config(tmp_path, {}).fx_rates)
    assert sentence in str(error.value)


def test_a_table_with_other_columns_starts_no_run(tmp_path: Path) -> None:
    (tmp_path / FX_RATES).write_text("date;from;to\n")
    with pytest.raises(ConfigError, match="line 1: the columns must be date,from_curr"):
        rates_of(read_config(tmp_path, {}).fx_rates)


DAY = datetime(2026, 3, 2, 12, tzinfo=UTC)
PRICE = Decimal("0.123457")


def card(currency: str = "EUR", price: Decimal = PRICE) -> RateCard:
    """Return a price per call."""
    names = ("whippy", "main", "inbound", "telephony", "call")
    first = date(2026, 1, 1)
    return RateCard(*names, Decimal(1), price, currency, first)


def rate(day: int, base: str, quote: str, amount: str) -> FxRate:
    return FxRate(date(2026, 3, day), base, quote, Decimal(amount), "test")


WAYS: list[tuple[list[tuple[int, str, str, str]], str | None]] = [
    # As published for the day: what is published comes before what can be worked out.
    (
        [
            (9, "CUR", "USD", "1.2"),
            (9, "USD", "CUR", "0.5"),
            (9, "CUR", "VIA", "2"),
            (9, "VIA", "USD", "3"),
        ],
        "1.2",
    ),
    # The last day on or before it: 8 March, not the 10th.
    ([(8, "CUR", "USD", "1.08"), (10, "CUR", "USD", "1.1")], "1.08"),
    # Seven days before is not too old, eight are.
    ([(2, "CUR", "USD", "1.07")], "1.07"),
    ([(1, "CUR", "USD", "1.07")], None),
    # 1 / 0.92 = 1.0869565217...
    ([(9, "USD", "CUR", "0.92")], "1.08695652"),
    # 1.27 / 0.85 = 1.4941176470...: over a currency that says both
    ([(9, "VIA", "CUR", "0.85"), (9, "VIA", "USD", "1.27")], "1.49411765"),
    # 0.85 / 0.8 = 1.0625: over one that both say
    ([(9, "CUR", "VIA", "0.85"), (9, "USD", "VIA", "0.8")], "1.0625"),
    # 1,000,000 / 9: over a currency with a large rate no decimal is lost
    ([(9, "CUR", "VIA", "1000000"), (9, "USD", "VIA", "9")], "111111.11111111"),
    # A common currency of two different days is none.
    ([(8, "VIA", "CUR", "0.85"), (9, "VIA", "USD", "1.27")], None),
    # 1.08 / 90 = 0.012: over the euro; over VIA it would be 1 / 50
    (
        [
            (9, "VIA", "USD", "1"),
            (9, "VIA", "CUR", "50"),
            (9, "EUR", "USD", "1.08"),
            (9, "EUR", "CUR", "90"),
        ],
        "0.012",
    ),
]
"""Rates of March, and the one that a call of the 9th in CUR is converted with."""


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Decimal | None]:
    """Give the rate of each way's call; each way has its own two currencies."""
    aliases = [f"way{number}" for number in range(len(WAYS))]
    house = RawFiles(tmp_path_factory.mktemp("ways"), accounts={"whippy": aliases})
    for alias, letter, (rates, _) in zip(aliases, ascii_uppercase, WAYS, strict=False):
        own = {"CUR": f"CU{letter}", "VIA": f"VI{letter}"}
        house.rates += tuple(
            rate(day, own.get(base, base), own.get(quote, quote), amount)
            for day, base, quote, amount in rates
        )
        house.cards += (replace(card(own["CUR"]), account=alias),)
        call = whippy_call(alias, DAY + timedelta(days=7), account=alias)
        house.load("whippy", [call])
    house.build()
    return dict(house.query("select account, fx_rate from fact_calls"))


@pytest.mark.parametrize("number", range(len(WAYS)))
def test_a_call_has_the_last_rate_of_its_week(
    converted: dict[str, Decimal | None], number: int
) -> None:
    used = WAYS[number][1]
    assert converted[f"way{number}"] == (used and Decimal(used))


def test_a_converted_cost_is_exact_and_rounded_half_up(tmp_path: Path) -> None:
    # 0.123457 * 1.0865 = 0.1341360305; 0.000001 * 0.5 = 0.0000005
    small = replace(card("GBP", Decimal("0.000001")), account="second")
    house = RawFiles(
        tmp_path,
        accounts={"whippy": ("main", "second")},
        cards=(card(), small),
        rates=(rate(2, "EUR", "USD", "1.0865"), rate(2, "GBP", "USD", "0.5")),
    )
    calls = [whippy_call("a", DAY), whippy_call("a", DAY, account="second")]
    house.load("whippy", calls)
    house.build()
    found = house.query("select cost_reporting from fact_calls order by account")
    assert found == [(Decimal("0.134136"),), (Decimal("0.000001"),)]


def test_rates_of_a_billion_and_of_nearly_nothing_fit(tmp_path: Path) -> None:
    big, small = "999999999.9999999999", "0.0000000001"
    house = RawFiles(
        tmp_path,
        cards=(card("AAA"),),
        rates=tuple(
            rate(2, *pair)
            for pair in (
                ("AAA", "EUR", big),
                ("EUR", "USD", big),
                ("USD", "BBB", big),
                ("CCC", "USD", small),
                ("DDD", "EUR", small),
                ("USD", "FFF", small),
            )
        ),
    )
    house.load("whippy", [whippy_call("a", DAY)])
    house.build()
    found = house.query("select from_currency, rate from dim_fx_rates order by 1")
    # The others would be 0 in eight decimals, or more than they have room for.
    assert found == [("DDD", Decimal("0.1")), ("EUR", Decimal(1000000000))]


@pytest.mark.soak
def test_new_rates_compute_again_the_calls_whose_rate_they_change(
    tmp_path: Path,
) -> None:
    house = RawFiles(tmp_path, cards=(card(),))
    days = [DAY + timedelta(days=number) for number in range(12)]
    house.load("whippy", [whippy_call(f"{at:%d}", at) for at in days])
    house.build()
    missing = (
        "select currency, from_day::text, to_day::text, calls from ops.missing_rates"
    )
    assert house.query(missing) == [("EUR", "2026-03-02", "2026-03-13", 12)]
    house.rates = (rate(4, "EUR", "USD", "1.5"),)
    result = house.build()
    assert (result.reason, result.rebuilt) == (None, {"whippy": 8})
    assert house.query(missing) == [("EUR", "2026-03-02", "2026-03-13", 4)]
    assert house.build().rebuilt == {}
    house.rates = (*house.rates, rate(11, "EUR", "USD", "1.6"))
    house.load("whippy", [whippy_call("late", DAY)])
    assert house.build().rebuilt == {"whippy": 4}
    # One is corrected and one is gone: other rates from 4 to 11, none on 12 and 13.
    house.rates = (rate(4, "EUR", "USD", "1.4"),)
    assert house.build().rebuilt == {"whippy": 10}
    nightly = house.tables()
    assert house.build(full=True).reason == "asked for"
    assert house.tables() == nightly


def test_a_rate_is_missed_by_priced_calls_that_their_vendor_still_lists(
    tmp_path: Path,
) -> None:
    house = RawFiles(tmp_path, cards=(card(),))
    account, name, at, payload = whippy_call("unpriced", DAY)
    unpriced = (account, name, at, {**(payload or {}), "direction": "OUTBOUND"})
    later = DAY + timedelta(days=1)
    priced = [whippy_call("priced", DAY), whippy_call("gone", later)]
    house.load("whippy", [*priced, unpriced])
    house.load("whippy", [("main", "gone", later, None)])
    house.build()
    assert house.query("select currency, calls from ops.missing_rates") == [("EUR", 1)]
    assert house.query("select count(*) from fact_calls") == [(3,)]


@pytest.fixture(scope="module")
def without_rates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a warehouse with two calls that no rate is known for."""
    house = RawFiles(tmp_path_factory.mktemp("none"), cards=(card(),))
    house.load("whippy", [whippy_call("a", DAY), whippy_call("b", DAY)])
    house.build()
    return house.folder


def test_status_says_which_currencies_have_no_rate(
    without_rates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLHOUSE__WAREHOUSE", str(without_rates))
    said = CliRunner().invoke(app, ["status", "-v", "--config", str(tmp_path)]).output
    expected = (
        "Calls without an exchange rate to USD: EUR 2026-03-02..2026-03-02 (2); put "
        "rates in with: callhouse fx import FILE"
    )
    assert expected in " ".join(said.split())


def test_a_wrong_rate_ends_a_run_before_it_loads_and_no_command_that_reads(
    without_rates: Path,
    tmp_path: Path,
    scripted: VendorServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / FX_RATES).write_text(HEADER + "2026-03-04,EUR,USD,none,ours\n")
    monkeypatch.setenv("CALLHOUSE__WAREHOUSE", str(without_rates))
    monkeypatch.setenv("CALLHOUSE__SOURCES__WHIPPY__API_KEY", "a key")
    monkeypatch.setenv("CALLHOUSE__SOURCES__WHIPPY__BASE_URL", scripted.url)
    config = ["--config", str(tmp_path)]
    for command in (["status", "--now", "2026-04-20"], ["query", "select 1"]):
        assert CliRunner().invoke(app, [*command, *config]).exit_code == 0
    days = ["--from", "2026-03-02"]
    for command in (["run"], ["backfill", *days], ["transform"]):
        done = CliRunner().invoke(app, [*command, *config])
        assert done.exit_code == 2
        assert "'none' is not a rate" in done.output
    assert scripted.got == []
