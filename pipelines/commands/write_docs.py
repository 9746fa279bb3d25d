"""What is written from the code itself: the README's part on the vendors, the schema.

``make docs`` puts the one between two marks, and writes the other beside
the models; a test compares, so that what they say is what the sources and models do.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.commands.build import MODELS, open_model_inputs
from pipelines.config.model import FINALITY_HORIZON, Config
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
"""Columns of the table at the head of a vendor's notes."""
HEADS = (
    (
        "vendor",
        "stream",
        "one record is",
        "windows on",
        "read again for",
        "final after",
    ),
    ("vendor", "limits", "open questions"),
)


class DocsError(Exception):
    """The README has no place for the vendors."""


def notes(vendor: str) -> str:
    """Return the page of notes beside a vendor's source."""
    return files("pipelines.sources").joinpath(f"{vendor}.md").read_text("utf-8")


def listed(vendor: str) -> list[Mapping[str, str]]:
    """Return a page's first table, one row a stream: its cells by column."""
    return _rows(notes(vendor))


def limits(vendor: str) -> str:
    """Return the paragraph below that table that begins with "Limits:", as one line."""
    paragraph = notes(vendor).partition("\nLimits: ")[2].partition("\n\n")[0]
    return " ".join(paragraph.split())


def questions(vendor: str) -> list[str]:
    """Return what is open: the first column of the table in a page's last section."""
    return [row["question"] for row in _rows(notes(vendor).rpartition("\n## ")[2])]


def section() -> str:
    """Return the part on the vendors: one row a stream, then one row a vendor."""
    streams = [
        [vendor, stream.name, row["grain"], row["windows on"], *_horizons(stream)]
        for vendor in vendors()
        for stream, row in zip(streams_of(vendor), listed(vendor), strict=True)
    ]
    doubts = [
        [vendor, limits(vendor), " ".join(questions(vendor))] for vendor in vendors()
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
    if stream.availability_delay >= DAY:
        again = f"{again}, from {_days(stream.availability_delay)} on"
    return again, _days(FINALITY_HORIZON)


def _days(length: timedelta) -> str:
    count = length / DAY
    return f"{count:g} day{'s' * (count != 1)}"


def _rows(text: str) -> list[Mapping[str, str]]:
    """Return the rows of the first table in a text, by the names of its columns."""
    lines = iter(text[text.index("\n|") + 1 :].splitlines())
    table = takewhile(lambda line: line.startswith("|"), lines)
    head, _, *rows = (
        [cell.strip() for cell in line[1:-1].split("|")] for line in table
    )
    return [dict(zip(head, row, strict=True)) for row in rows]


def _table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
