"""The pages of invariants and promises are whole, and what they name is there."""

import ast
import re
from functools import cache
from pathlib import Path
from signal import SIGTERM

import pytest

from pipelines.cli import endings
from pipelines.load.failure import UNEXPECTED

ROOT = Path(__file__).parents[1]
NAMES = [
    *(f"I{number}" for number in range(1, 19)),
    *(f"{letter}{number}" for letter in "LX" for number in range(1, 4)),
]
FAULTS = [
    f"{letter}{number}"
    for letter, count in {"T": 17, "P": 22, "D": 21, "K": 18, "S": 19}.items()
    for number in range(1, count + 1)
]
REQUIREMENTS = [
    *("1.2.4", "1.2.10", "1.3.6", "1.5.2", "1.5.3", "2.2.1", "2.3.3", "5.2.3"),
    *("12.2.1", "12.3.1", "12.3.2", "13.1.3", "13.2.2", "13.2.4", "13.2.6", "13.3.1"),
    *("13.3.2", "13.3.4", "13.4.2", "14.1.1", "14.1.2", "14.2.1", "14.2.3", "14.2.4"),
    *("14.2.6", "14.2.7", "15.1.1", "15.1.2", "15.2.4", "15.3.2", "15.4.2", "16.1.1"),
    *("16.2.2", "16.2.5", "16.4.1", "16.5.2", "16.5.3"),
]
"""Of OWASP ASVS 5.0, those that apply here."""
REASON = re.compile(r"(?:none|not met|not met by a test): \w.{20,}")
"""What stands in place of a test where there is none."""


def rows_of(page: str, names: str) -> list[list[str]]:
    """Return the cells of each row that begins with one of the names."""
    lines = (ROOT / page).read_text("utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if re.fullmatch(names, row[0])]


INVARIANTS = rows_of("docs/invariants.md", r"[ILX]\d+")
EXITS = rows_of("docs/exit-codes.md", r"\d+")
PROMISES = rows_of("docs/promises.md", r"[TPDKS]\d+|\d+(?:\.\d+)+")


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@cache
def functions_of(file: str) -> dict[str, set[str]]:
    """Return the tests of a file, each with its decorators."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return {
        node.name: {ast.unparse(one) for one in node.decorator_list}
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def missing(cell: str) -> list[str]:
    """Return the files and tests that a cell names and that are not there."""
    found = names_in(cell)
    paths = [one for one in found if re.search(r"/|\.(md|lock)$|^Makefile$", one)]
    tests = [one.split("::") for one in paths if "::" in one]
    absent = [one for one in paths if not (ROOT / one.partition("::")[0]).is_file()]
    return absent + [
        f"{file}::{name}"
        for file, name in tests
        if file not in absent and name not in functions_of(file)
    ]


def test_every_invariant_requirement_and_fault_has_one_row() -> None:
    assert [row[0] for row in INVARIANTS] == NAMES
    assert [row[0] for row in PROMISES] == [*REQUIREMENTS, *FAULTS]


@pytest.mark.parametrize("row", INVARIANTS, ids=lambda row: row[0])
def test_an_invariant_names_modules_and_a_test_that_are_there(row: list[str]) -> None:
    _, guarantee, modules, harm, test, control = row
    assert all((guarantee, names_in(modules), harm, control))
    assert "::" in test
    assert missing(modules) + missing(test) == []
    assert_soaks_are_named(test)


def assert_soaks_are_named(cell: str) -> None:
    """A test that `make test` leaves out is followed by that word, and no other is."""
    for name, said in re.findall(r"`(tests/[^`]+::[^`]+)`( \(soak\))?", cell):
        file, _, test = name.partition("::")
        assert ("pytest.mark.soak" in functions_of(file)[test]) is bool(said), name


@pytest.mark.parametrize("row", PROMISES, ids=lambda row: row[0])
def test_a_promise_names_a_test_of_the_suite_or_the_reason_why_not(
    row: list[str],
) -> None:
    name, subject, promise, proof = row
    assert subject
    assert promise
    assert missing(promise) + missing(proof) == []
    tests = [one.split("::") for one in names_in(proof) if "::" in one]
    assert bool(tests) is not bool(REASON.fullmatch(proof)), proof
    assert_soaks_are_named(proof)
    if name in REQUIREMENTS and tests:
        assert [one for one in names_in(promise) if (ROOT / one).is_file()]


def test_the_table_of_exit_codes_has_each_and_a_test_of_it() -> None:
    assert [int(row[0]) for row in EXITS] == [
        *(0, 1, endings.REFUSED, endings.CHECK_FAILED, endings.WRONG_QUERY),
        UNEXPECTED,
        *(endings.INTERRUPTED, 128 + SIGTERM, endings.NOBODY_READS),
    ]
    for _, meaning, test in EXITS:
        assert meaning
        assert "::" in test
        assert missing(test) == []
