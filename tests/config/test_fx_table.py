"""The table of exchange rates and the bank's file, at the level of the function."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.config.csv_file import read_lines
from pipelines.config.ecb import read_ecb
from pipelines.config.fx_rates import (
    FX_RATES,
    FxRate,
    Merged,
    as_table,
    merge_into,
    rates_of,
    read_amount,
    read_fx_rates,
)
from pipelines.config.toml_file import ConfigError

HEADER = "date,from_currency,to_currency,rate,source\n"
DAY = date(2026, 3, 4)
NAMES = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def rate(text: str, to: str = "USD", day: int = 4, source: str = "ECB") -> FxRate:
    return FxRate(date(2026, 3, day), "EUR", to, Decimal(text), source)


def table(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / FX_RATES
    path.write_text(header + "".join(f"{line}\n" for line in lines), "utf-8")
    return path


def fault(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        rates_of(path)
    return str(error.value).removeprefix(f"{path} ")


def test_rates_are_the_columns_of_the_file_in_the_order_of_days(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        *("", ' 2026-03-05 , EUR,USD,1.0865,"ECB, by hand"', "  , ,,,"),
        *(
            "2026-03-04,EUR,USD,0001.08000,",
            f"2026-03-04,EUR,JPY,{MOST},x",
        ),
    )
    assert rates_of(path).to_pylist() == [
        one._asdict()
        for one in (
            rate(MOST, "JPY", source="x"),
            rate("1.08", source=""),
            rate("1.0865", day=5, source="ECB, by hand"),
        )
    ]
    texts = [(f"{one.rate}", one.source) for one in read_fx_rates(path)]
    assert texts[1:] == [("1.08000", ""), ("1.0865", "ECB, by hand")]
    given = as_table(read_fx_rates(path))
    assert rates_of(given) is given
    assert given.schema == rates_of(path).schema
    assert rates_of(tmp_path / "none.csv").num_rows == 0
    assert read_fx_rates(tmp_path / "none.csv") == ()


def test_lines_are_numbered_as_an_editor_does(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbf a ,b\r\n\r\n , \n"c\nd",e\n f')
    assert list(read_lines(path)) == [
        *[(1, ["a", "b"]), (5, ["c\nd", "e"]), (6, ["f"])],
    ]
    path.write_bytes(b"a\xff")
    with pytest.raises(ConfigError, match="save it as CSV in UTF-8"):
        list(read_lines(path))
    path.write_bytes(b'"a')
    with pytest.raises(ConfigError, match="is not a CSV file"):
        list(read_lines(path))
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        list(read_lines(tmp_path))


MOST = "999999999.9999999999"
"""The largest rate that the table has room for."""
GOOD = "2026-03-04,EUR,USD,1.08,ECB"


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            ["2026-3-5,EUR,USD,1,x"],
            "line 2: '2026-3-5' is not a date; write it",
        ),
        (["2026-02-30,EUR,USD,1,x"], "line 2: '2026-02-30' is not a date"),
        (
            [GOOD, "2026-03-05,Eur,USD,1,x"],
            "line 3: 'Eur' is not a currency",
        ),
        ([GOOD, "2026-03-05,EUR,USDT,1,x"], "line 3: 'USDT' is not a currency"),
        (
            ["2026-03-05,USD,USD,1,x"],
            "line 2: USD to itself is always 1; del",
        ),
        (
            ["2026-03-05,EUR,USD,0.0,x"],
            "line 2: '0.0' is not a rate",
        ),
        (
            ["2026-03-05,EUR,USD,1.00000000001,x"],
            "line 2: '1.00000000001' is not",
        ),
        (
            [f"2026-03-05,EUR,USD,{10**9},x"],
            f"line 2: '{10**9}' is not a rate",
        ),
        (["2026-03-05,EUR,USD,.5,x"], "line 2: '.5' is not a rate"),
        (
            [GOOD, "", GOOD],
            "line 4: EUR to USD of 2026-03-04 stands in line 2 too",
        ),
        (
            [GOOD, GOOD.replace("USD", "JPY"), GOOD.replace("1.08", "1.09")],
            "line 4: EUR to USD of 2026-03-04 stands in line 2 too; keep one of them",
        ),
        (
            ["2026-03-05,EUR,USD,1"],
            "line 2: has 4 cells, not 5; write date",
        ),
        (
            [GOOD, GOOD + ","],
            "line 3: has 6 cells, not 5; write date",
        ),
        ([GOOD, GOOD + ',""'], "line 3: has 6 cells, not 5"),
    ],
)
def test_the_first_line_with_a_fault_is_told_with_its_number(
    tmp_path: Path, lines: Sequence[str], sentence: str
) -> None:
    path = table(tmp_path, *lines, "2026-03-09,EUR,usd,0,x")
    assert fault(path).startswith(sentence)


def test_quotes_that_every_program_reads_otherwise_are_refused(tmp_path: Path) -> None:
    """A blank before a quote: it begins a text for some, and for some stands in one."""
    for line, why in (
        ('2026-03-05,EUR,usd,1.08, "ECB"', "its lines differ"),
        ('2026-03-05,EUR,USD,1.08,"ECB', "unexpected end of data"),
    ):
        path = table(tmp_path, GOOD, line)
        with pytest.raises(ConfigError) as error:
            rates_of(path)
        assert f"{path} is not a CSV file ({why}); save it as CSV" in str(error.value)


def test_other_columns_are_told_with_their_line(tmp_path: Path) -> None:
    for header, place, told in (
        ("\n\ndate,to_currency\n", "line 3", "'date,to_currency'"),
        ("Date,from_currency,to_currency,rate,source\n", "line 1", "'Date,from_curre"),
        ("", "line 1", "''"),
    ):
        found = fault(table(tmp_path, header=header))
        assert found.startswith(f"{place}: the columns must be date,from_currency,to_c")
        assert f"not {told}" in found


@pytest.mark.parametrize(
    ("text", "is_rate"),
    [
        *[("1", True), ("0.0000000001", True), ("999999999.9999999999", True)],
        *[("0", False), ("0.0", False), ("1.", False), ("1e3", False), ("-1", False)],
        *[(str(10**9), False), ("0.00000000001", False), ("", False), ("1,5", False)],
    ],
)
def test_a_rate_is_a_number_above_0_that_fits(text: str, *, is_rate: bool) -> None:
    if is_rate:
        assert read_amount("here", text) == Decimal(text)
        return
    with pytest.raises(ConfigError, match=r"here: .* is not a rate; write one"):
        read_amount("here", text)


def test_rates_that_differ_replace_those_of_their_day_and_nothing_else(
    tmp_path: Path,
) -> None:
    path = tmp_path / "new" / FX_RATES
    first = [rate("1.09", day=5), rate("1.08"), rate("160", "JPY")]
    merged = merge_into(path, first)
    assert (merged.given, merged.replaced, merged.added) == (tuple(first), (), 3)
    assert path.read_text() == HEADER + (
        "2026-03-04,EUR,JPY,160,ECB\n"
        "2026-03-04,EUR,USD,1.08,ECB\n"
        "2026-03-05,EUR,USD,1.09,ECB\n"
    )
    before = path.stat().st_ino
    # The same amount from another source, or in more digits, changes nothing.
    merged = merge_into(path, [rate("1.080", source="hand")])
    assert (merged.replaced, merged.added) == ((), 0)
    assert path.stat().st_ino == before
    again = [rate("1.07", source="hand"), rate("161", "JPY", 5), rate("160", "JPY")]
    merged = merge_into(path, again)
    assert (merged.replaced, merged.added) == (((rate("1.08"), again[0]),), 1)
    assert {one.key: one for one in read_fx_rates(path)} == {
        one.key: one for one in (*first, *again)
    }
    assert [*path.parent.iterdir()] == [path]


def test_of_many_replaced_rates_the_first_ten_are_told() -> None:
    pairs = tuple((rate("1", day=n), rate("2.50", day=n)) for n in range(1, 13))
    given = (rate("1", "JPY", 9), *(new for _, new in pairs))
    for count, more in ((0, []), (10, []), (11, ["and 1 more"]), (12, ["and 2 more"])):
        first, *others = Merged(given, pairs[:count], 1).lines()
        assert first == (
            "rates of 2 currencies for 12 days, 2026-03-01 to 2026-03-12: 1 new, "
            f"{count} replaced, the others as they were"
        )
        assert others == [
            *(
                f"replaced: 2026-03-{n:02} EUR to USD was 1 (ECB), is 2.50"
                for n in range(1, min(count, 10) + 1)
            ),
            *more,
        ]


@pytest.mark.parametrize("month", range(1, 13))
def test_the_banks_last_day_has_the_name_of_any_month(
    tmp_path: Path, month: int
) -> None:
    file = tmp_path / "eurofxref.csv"
    file.write_text(f"Date, USD, JPY, \n6 {NAMES[month - 1]} 2026, 1.09, N/A, \n")
    day = date(2026, month, 6)
    assert read_ecb(file) == (FxRate(day, "EUR", "USD", Decimal("1.09"), "ECB"),)
    assert len(read_ecb(file, day)) == 1
    with pytest.raises(
        ConfigError, match=f"has no rate from {date(2026, month, 7)} on"
    ):
        read_ecb(file, date(2026, month, 7))


def test_a_bank_file_may_end_its_lines_without_a_comma(tmp_path: Path) -> None:
    file = tmp_path / "eurofxref.csv"
    file.write_text("Date,USD,JPY\n2026-03-04,1.08,160\n")
    assert read_ecb(file) == (rate("1.08"), rate("160", "JPY"))
    for header in ("Date\n", "Date,EUR\n", "Date,USD,USD\n", "date,USD\n"):
        file.write_text(f"{header}2026-03-04,1.08\n")
        with pytest.raises(ConfigError, match="line 1: "):
            read_ecb(file)
