"""Read ``cost_centers.csv``: rules that give calls their cost center.

A rule is a vendor, or ``*`` for all, a field, a value of it, and a cost center. In the
value ``*`` stands for any text. The first rule that fits a call counts; the models use
them in ``intermediate/call_cost_centers.sql``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.config.csv_file import read_header, read_lines
from pipelines.config.toml_file import ConfigError, Setting, nearest
from pipelines.sources import vendors

COST_CENTERS = "cost_centers.csv"
"""Name of the file in the configuration folder."""
COLUMNS = ("vendor", "field", "value", "cost_center")


@dataclass(frozen=True)
class CostCenterRule:
    """One line of the file; ``number`` is 1 for the first rule."""

    number: int
    vendor: str
    field: str
    value: str
    cost_center: str

    @property
    def pattern(self) -> str:
        """The value as a regular expression for a whole text."""
        return ".*".join(re.escape(part) for part in self.value.split("*"))


def read_cost_centers(path: Path) -> tuple[CostCenterRule, ...]:
    """Return the rules of a file in their order; none if there is no file.

    Raises `ConfigError` with the line of a rule that is not complete, names no vendor
    that there is, or repeats another one.
    """
    return tuple(_rules(path)) if path.exists() else ()


def _rules(path: Path) -> Iterator[CostCenterRule]:
    lines = read_lines(path)
    read_header(lines, path, COLUMNS)
    first: dict[tuple[str, ...], int] = {}
    for count, (number, cells) in enumerate(lines, start=1):
        place = f"{path} line {number}"
        if len(cells) != len(COLUMNS) or not all(cells):
            raise ConfigError(
                f"{place}: a rule is {','.join(COLUMNS)}, and none of them is empty; "
                "a value with a comma in it stands between quotation marks"
            )
        vendor, field, value, cost_center = cells
        if vendor != "*":
            nearest(vendor, ("*", *vendors()), Setting(None, f"{place} vendor"))
        if (twin := first.setdefault((vendor, field, value), number)) != number:
            raise ConfigError(
                f"{place}: line {twin} has the same vendor, field and value, and the "
                "first rule counts; delete one of them"
            )
        yield CostCenterRule(count, vendor, field, value, cost_center)
