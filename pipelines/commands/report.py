"""``callhouse report``: write the page about the published file, and keep older ones.

After a publish it is written by itself. It only observes: where it cannot be written,
one line says so, and what was published stays published.
"""

from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from pipelines.config.model import Config
from pipelines.load.failure import failure_of
from pipelines.report.page import page_of
from pipelines.warehouse.locks import tell
from pipelines.warehouse.opening import FileError, private
from pipelines.warehouse.paths import Warehouse
from pipelines.warehouse.publish import folder_mode


@dataclass(frozen=True)
class WrittenReport:
    """The page that was written."""

    file: Path
    size: int
    """Bytes."""
    kept_as: Path | None
    """Where it stays when a later day's page replaces it; None: nowhere."""


def write_report(config: Config) -> WrittenReport:
    """Write the page about the published file in the place of the one before.

    A page with phone numbers is not kept for later days: it would outlive a change of
    the settings that hide them. Raises `FileError`.
    """
    warehouse, settings = config.warehouse, config.report
    page = page_of(warehouse.tables, settings)
    for left in warehouse.root.glob(f"{warehouse.report.name}.*.incoming"):
        left.unlink(missing_ok=True)  # by a run that was killed
    incoming = warehouse.report.with_suffix(f".html.{token_hex(4)}.incoming")
    try:
        with private():
            incoming.write_text(page.html, "utf-8")
        incoming.chmod(config.published_mode)
        incoming.replace(warehouse.report)
    finally:
        incoming.unlink(missing_ok=True)
    is_kept = settings.keep and not settings.phone_numbers
    kept = warehouse.reports / f"{page.date}.html" if is_kept else None
    _keep(warehouse, kept, settings.keep, folder_mode(config.published_mode))
    return WrittenReport(warehouse.report, len(page.html.encode()), kept)


def report_after_publish(config: Config) -> None:
    """Write the page, unless a setting says not to; say in one line if it fails."""
    if not config.report.enabled:
        return
    try:
        write_report(config)
    except FileError as error:
        tell(f"the report was not written: {error}")
    except Exception as error:  # noqa: BLE001 - an observer takes no run down
        tell(f"the report was not written: {failure_of(error).sentence}")


def _keep(warehouse: Warehouse, kept: Path | None, keep: int, mode: int) -> None:
    """Keep the page under the name of its day, and delete the oldest ones."""
    if kept:
        warehouse.reports.mkdir(exist_ok=True)
        warehouse.reports.chmod(mode)
        kept.unlink(missing_ok=True)
        kept.hardlink_to(warehouse.report)
    for old in sorted(warehouse.reports.glob("*.html"), reverse=True)[keep:]:
        old.unlink()
