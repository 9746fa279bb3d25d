"""Take the pictures of docs/images: the report of the sandbox's calls, in a browser."""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from conftest import callhouse

from pipelines.warehouse.paths import Warehouse

SHOTS = (
    ("report-overview.png", "overview", "light", (1100, 820)),
    ("report-spend.png", "spend", "light", (1100, 820)),
    ("report-service-dark.png", "service", "dark", (1100, 820)),
    ("report-coverage.png", "is-it-all-there", "light", (1100, 620)),
    ("report-phone.png", "overview", "light", (390, 844)),
)


def main(folder: Path) -> None:
    """Load 45 days from the sandbox, write its report, and take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory() as place,
        sync_playwright() as drivers,
    ):
        given = {"HOME": place, "CALLHOUSE__HISTORY_DAYS": "45"}
        for words in (("run", "--sandbox", "--now", "2026-11-17"), ("report",)):
            done = callhouse(Path(place), given, *words)
            assert done.returncode == 0, done.stderr
        file = Warehouse(Path(place, "warehouse")).report
        browser = drivers.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, tab, scheme, (width, height) in SHOTS:
            size = {"width": width, "height": height}
            page = browser.new_page(color_scheme=scheme, viewport=size)
            page.goto(f"{file.as_uri()}#{tab}")
            page.wait_for_selector(f"section#page-{tab}[data-drawn]")
            page.screenshot(path=folder / name)
            page.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
