"""The page of invariants has each of them, with modules and a test that are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/invariants.md").read_text("utf-8")
NAMES = [
    *(f"I{number}" for number in range(1, 19)),
    *(f"{letter}{number}" for letter in "LX" for number in range(1, 4)),
]
ROWS = {
    cells[0]: cells
    for line in PAGE.splitlines()
    if (cells := [one.strip() for one in line.strip("|").split("|")])
    and re.fullmatch(r"[ILX]\d+", cells[0])
}


def test_every_invariant_has_a_row() -> None:
    assert list(ROWS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_row_names_modules_and_a_test_that_are_there(name: str) -> None:
    _, guarantee, modules, harm, test, control = ROWS[name]
    assert guarantee
    assert harm
    assert control
    places = re.findall(r"`([^`]+)`", modules)
    assert places
    assert [one for one in places if not (ROOT / one).is_file()] == []
    file, _, function = test.strip("`").partition("::")
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert function in {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
    }
