"""The types of the stored columns do not depend on which vendors have calls."""

import json
from pathlib import Path

import pytest
from contract import ENGAGEMENTS, WIRES, Warehouse, example

from transforms.export.schema_page import types


@pytest.mark.soak
def test_the_calls_of_all_vendors_have_the_types_of_no_calls(tmp_path: Path) -> None:
    """A union would take the wider type, and a later build cut it to the narrower."""
    empty, filled = Warehouse(tmp_path / "empty"), Warehouse(tmp_path / "filled")
    empty.build()
    for vendor in WIRES:
        filled.send(vendor, [json.dumps(example(vendor, "full")).encode()])
    engagement = json.dumps(example("zoom", "engagement")).encode()
    filled.send("zoom", [engagement], wire=ENGAGEMENTS)
    filled.build()
    expected, found = (types(one.folder / "build.duckdb") for one in (empty, filled))
    assert len(filled.query("select distinct vendor from fact_calls")) == len(WIRES)
    assert found == expected
