"""Write costs as a FOCUS 1.0 dataset, the FinOps standard for cost and usage.

It is one Parquet file, so that amounts stay exact, and no text is taken for a formula.
``queries/published/focus.sql`` says what each column is.
"""

from dataclasses import dataclass
from pathlib import Path

from pipelines.config.toml_file import ConfigError
from pipelines.warehouse.opening import PUBLISHED_FILE, private, read
from pipelines.warehouse.queries import query
from transforms.runner.storage import Place

FILE = "focus.parquet"
"""The one file of an export; the next export replaces it."""


@dataclass(frozen=True)
class FocusExport:
    """What was written."""

    file: Path
    charges: int
    left_out: int
    """Calls that have a cost and no known start: no charge can be made of them."""


def export_to_focus(published: Place, folder: Path) -> FocusExport:
    """Write the published costs into ``folder``; replace those of an earlier export.

    Raises `ConfigError` and writes nothing if ``folder`` has other files.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; name a folder to export to")
    incoming = folder / f"{FILE}.incoming"
    if folder.exists() and {*folder.iterdir()} - {folder / FILE, incoming}:
        raise ConfigError(
            f"{folder} holds other files than an export's; name a new or empty folder"
        )
    with read(published, PUBLISHED_FILE) as tables, private():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tables.execute("set TimeZone = 'UTC'")
        tables.sql(query("published/focus")).write_parquet(str(incoming))
        ((left_out,),) = tables.execute(query("published/focus_left_out")).fetchall()
        incoming.replace(folder / FILE)
        written = tables.read_parquet(str(folder / FILE))
        ((charges,),) = written.aggregate("count(*)").fetchall()
    return FocusExport(folder / FILE, charges, left_out)
