"""Write the tables of vendors, and three pages, from code and notes.

``make docs`` puts the tables between two marks of a page, the schema page beside the
models, and into docs where each documented field lands, and the metrics. A test
fails when they are out of date.
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
from pipelines.sources import DocumentedField, documented_fields, streams_of, vendors
from pipelines.warehouse.paths import Warehouse
from transforms.export import metrics_page
from transforms.export.schema_page import page, types
from transforms.runner.build import build
from transforms.runner.graph import read_graph

VENDORS_PAGE = Path("docs/vendors.md")
SCHEMA = Path("transforms/SCHEMA.md")
FIELDS = Path("docs/fields.md")
METRICS = Path("docs/metrics.md")
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


FIELDS_HEAD = """# Where each documented field lands

Every field that a vendor documents, and the columns that it reaches, or why none.
It is written by `make docs` from `pipelines/sources/<vendor>.fields.csv`.
`ops.vendor_fields` says the same of the warehouse, with the first and last day that
each field was seen, and its share of records."""


class DocsError(Exception):
    """The page of vendors lacks the two marks."""


def notes(vendor: str) -> str:
    """Return the page of notes beside a vendor's source."""
    return files("pipelines.sources").joinpath(f"{vendor}.md").read_text("utf-8")


def listed(vendor: str) -> list[Mapping[str, str]]:
    """Return the first table of a vendor's notes: a row per stream, cells by column."""
    return _rows(notes(vendor))


def limits(vendor: str) -> str:
    """Return the paragraph of the notes that begins with "Limits:", as one line."""
    paragraph = notes(vendor).partition("\nLimits: ")[2].partition("\n\n")[0]
    return " ".join(paragraph.split())


def questions(vendor: str) -> list[str]:
    """Return the open questions: column one of the table in the notes' last section."""
    return [row["question"] for row in _rows(notes(vendor).rpartition("\n## ")[2])]


def section() -> str:
    """Return the two tables: one with a row per stream, one with a row per vendor."""
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
    """Return the page of vendors with new tables between the marks."""
    start, end = MARKS
    if not 0 <= readme.find(start) < readme.find(end):
        raise DocsError(
            f"{VENDORS_PAGE} lacks the lines {start} and {end}, in this order"
        )
    before, rest = readme.split(start, 1)
    return f"{before}{start}\n{section()}\n{end}{rest.split(end, 1)[1]}"


def _horizons(stream: Stream) -> tuple[str, str]:
    """Return how long a stream's windows are read again, and when a call is final."""
    if stream.is_full_refresh:
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
    """Return the schema page; an empty warehouse is built for the types of columns."""
    with TemporaryDirectory() as folder:
        empty = Config(Warehouse(Path(folder)), vendors=())
        with open_model_inputs(empty, datetime.now(UTC)) as inputs:
            built = empty.warehouse.build
            build(built, MODELS, inputs.raw, inputs.context)
            graph = read_graph(MODELS, inputs.context)
        return page(graph, types(built))


def fields() -> str:
    """Return the page of documented fields: a table per vendor, a row per field."""
    parts = [FIELDS_HEAD]
    for vendor in vendors():
        rows = [
            [f"`{one.record}`", f"`{one.path}`", _landing(one)]
            for one in documented_fields(vendor)
        ]
        parts += [f"## {vendor}", _table(("record", "field", "lands"), rows)]
    return "\n\n".join(parts) + "\n"


def _landing(field: DocumentedField) -> str:
    if field.unused:
        return f"in no column: {field.unused}"
    return "<br>".join(f"`{column}`" for column in field.lands.split())


def metrics() -> str:
    """Return the page of metrics."""
    return metrics_page.page(MODELS.parent / "seeds/metrics.csv")


def main() -> None:
    """Write the files in the working folder."""
    VENDORS_PAGE.write_text(renewed(VENDORS_PAGE.read_text("utf-8")), "utf-8")
    SCHEMA.write_text(schema(), "utf-8")
    FIELDS.write_text(fields(), "utf-8")
    METRICS.write_text(metrics(), "utf-8")


if __name__ == "__main__":
    main()
