"""What is written from the code itself: the README's part on the vendors, the schema.

``make docs`` puts the one between two marks, and writes the other beside
the models; a test compares, so that what they say is what the sources and models do.
"""

import importlib
import inspect
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.commands.run import MODELS, open_model_inputs
from pipelines.config.model import SETTLE_AFTER, Config
from pipelines.planning.stream import Stream
from pipelines.planning.windows import DAY
from pipelines.sources import streams_of, vendors
from pipelines.warehouse.paths import Warehouse
from transforms.export.schema_page import page, types
from transforms.runner.build import build
from transforms.runner.graph import read_graph

README = Path("README.md")
SCHEMA = Path("transforms/SCHEMA.md")
MARKS = ("<!-- vendors -->", "<!-- /vendors -->")
STREAMS = ("stream", "endpoint", "grain", "windows on", "table")
"""Columns of the table in a source's docstring."""
HEADS = (
    (
        "vendor",
        "stream",
        "one record is",
        "windows on",
        "read again for",
        "final after",
    ),
    ("vendor", "limits", "not verified yet"),
)


class DocsError(Exception):
    """The README has no place for the vendors."""


def docstring(vendor: str) -> str:
    """Return what a source says of its vendor."""
    return inspect.getdoc(importlib.import_module(f"pipelines.sources.{vendor}")) or ""


def topics(vendor: str) -> Mapping[str, str]:
    """Return the topics of a docstring in their order, such as Limits: a line each."""
    below = docstring(vendor).rpartition("|\n")[2]
    parts = re.split(r"^(?=[A-Z]\w+: )", below, flags=re.MULTILINE)
    pairs = (part.split(": ", 1) for part in parts[1:])
    return {term: " ".join(text.split()) for term, text in pairs}


def listed(vendor: str) -> list[Mapping[str, str]]:
    """Return the rows of a docstring's table, by column."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in docstring(vendor).splitlines()
        if line.startswith("|")
    ]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def section() -> str:
    """Return the part on the vendors: one row a stream, then one row a vendor."""
    streams = [
        [vendor, stream.name, row["grain"], row["windows on"], *_horizons(stream)]
        for vendor in vendors()
        for stream, row in zip(streams_of(vendor), listed(vendor), strict=True)
    ]
    doubts = [
        [vendor, topics(vendor)["Limits"], _short(topics(vendor)["Unverified"])]
        for vendor in vendors()
    ]
    heads = zip(HEADS, (streams, doubts), strict=True)
    return "\n\n".join(_table(head, rows) for head, rows in heads)


def renewed(readme: str) -> str:
    """Return a README with the part between the marks written anew."""
    start, end = MARKS
    if not 0 <= readme.find(start) < readme.find(end):
        raise DocsError(f"{README} lacks the lines {start} and {end}, in this order")
    before, rest = readme.split(start, 1)
    return f"{before}{start}\n{section()}\n{end}{rest.split(end, 1)[1]}"


def _horizons(stream: Stream) -> tuple[str, str]:
    """Return how long windows of a stream are read again, and when a cost is final."""
    if stream.is_reference:
        return "every run", "-"
    again = _days(stream.lookback)
    if stream.lag >= DAY:
        again = f"{again}, from {_days(stream.lag)} on"
    return again, _days(SETTLE_AFTER)


def _days(length: timedelta) -> str:
    count = length / DAY
    return f"{count:g} day{'s' * (count != 1)}"


def _short(doubts: str) -> str:
    """Leave out what is taken meanwhile and what would settle it."""
    without = re.sub(r"\s*\([^()]*\)|\*\*", "", doubts).rstrip(".")
    return "; ".join(doubt.split(": ")[0] for doubt in without.split("; "))


def _table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines).replace("``", "`")


def schema() -> str:
    """Return the schema page, from an empty warehouse."""
    with TemporaryDirectory() as folder:
        empty = Config(Warehouse(Path(folder)), vendors=())
        with open_model_inputs(empty, datetime.now(UTC)) as inputs:
            built = empty.warehouse.build
            build(built, MODELS, inputs.raw, inputs.context)
            graph = read_graph(MODELS, inputs.context)
        return page(graph, types(built))


def main() -> None:
    """Rewrite them in the folder one is in."""
    README.write_text(renewed(README.read_text("utf-8")), "utf-8")
    SCHEMA.write_text(schema(), "utf-8")


if __name__ == "__main__":
    main()
