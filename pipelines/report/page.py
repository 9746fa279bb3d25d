"""Write the page: the rows, the charts' JavaScript and ours in one HTML file.

Nothing is fetched when the page is opened, and its policy forbids the browser to try:
only the two scripts whose hashes it names run, and no address can be asked.
"""

from base64 import b64encode
from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256
from importlib.resources import files
from string import Template

import msgspec

from pipelines.config.report import Report
from pipelines.report.charts import CHARTS, PAGES
from pipelines.report.tables import as_columns, read_tables
from pipelines.warehouse.opening import FileError
from transforms.runner.storage import Place

FOLDER = files("pipelines.report")
SCRIPTS = ("rows.js", "page.js", "views.js")


@dataclass(frozen=True)
class Page:
    """A page, and the date in the reporting time zone that its tables are as of."""

    html: str
    date: date


def page_of(published: Place, settings: Report) -> Page:
    """Return the page about a published file.

    Raises `FileError` for a file that cannot be read, and where the charts' JavaScript
    is missing, which is made when Callhouse is installed.
    """
    tables = read_tables(published, settings)
    data = {
        "context": tables.context,
        "pages": PAGES,
        "charts": [asdict(chart) for chart in CHARTS],
        "sql": tables.sql,
        "tables": {name: as_columns(rows) for name, rows in tables.rows.items()},
    }
    vega, script = _text("vega.js"), "".join(map(_text, SCRIPTS))
    hashes = " ".join(f"'sha256-{_hash(one)}'" for one in (vega, script))
    html = Template(_text("page.html")).substitute(
        policy=f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'",
        style=_text("page.css"),
        # No text in it can end the element that it stands in.
        data=msgspec.json.encode(data).decode().replace("<", "\\u003c"),
        vega=vega,
        script=script,
    )
    return Page(html, tables.context["as_of_date"])


def _text(name: str) -> str:
    try:
        return FOLDER.joinpath(name).read_text("utf-8")
    except FileNotFoundError:
        raise FileError(
            f"{name} is missing in the package; install Callhouse again (make setup)"
        ) from None


def _hash(script: str) -> str:
    return b64encode(sha256(script.encode()).digest()).decode()
