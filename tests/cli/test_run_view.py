"""The summary of a run: what is wrong first, a row per vendor, the totals last."""

import json
from io import StringIO
from pathlib import Path

import pytest
from conftest import callhouse
from raw_files import NOW, RawFiles, whippy_call
from rich.console import Console

from pipelines.cli import run_view
from pipelines.commands.build import MODELS
from pipelines.commands.run import RunResult
from pipelines.planning.windows import DAY
from pipelines.warehouse.journal import LoadResult

GOOD = LoadResult(
    vendor="voximplant",
    windows=12,
    planned=12,
    records=900_123,
    changed=812_345,
    new=800_000,
    deleted=3,
    restored=1,
    notes=("an optional list is left out",),
)
BAD = LoadResult(
    vendor="zoom",
    windows=3,
    planned=12,
    quarantined=2,
    unreadable={"'id' is missing or empty": 2},
    errors=("HTTP 401; renew the secret", "HTTP 500 twice; it is tried again"),
)


def shown(monkeypatch: pytest.MonkeyPatch, *outcomes: LoadResult, **how: bool) -> str:
    """Return what is printed into a terminal of 80 columns."""
    written = StringIO()
    monkeypatch.setattr(run_view, "stderr", lambda: Console(file=written, width=80))
    run_view.show(RunResult(outcomes, None, None), seconds=33.2, **how)
    return written.getvalue()


def test_what_is_wrong_stands_on_top_and_its_vendor_is_named_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = shown(monkeypatch, GOOD, BAD).splitlines()
    assert lines[0] == "zoom HTTP 401; renew the secret"
    assert lines[1] == "     HTTP 500 twice; it is tried again"
    assert lines[2].startswith("     2 new in quarantine")
    assert lines[-1] == "It took 33 seconds."
    assert "voximplant an optional list is left out" in lines


def test_a_row_says_what_is_new_what_changed_and_what_else_happened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = shown(monkeypatch, GOOD, BAD)
    (good,) = (line for line in text.splitlines() if line.startswith("voximplant  c"))
    assert good.split()[:4] == ["voximplant", "complete", "800,000", "12,345"]
    for words in (
        "all 12",
        "3 deleted",
        "1 listed again",
        "3 of 12",
        "2 in quarantine",
    ):
        assert words in " ".join(text.split())
    assert "What was read" not in text
    assert "What was read" in shown(monkeypatch, GOOD, verbose=True)


def test_a_quiet_run_prints_what_is_wrong_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert shown(monkeypatch, GOOD, quiet=True) == ""
    assert len(shown(monkeypatch, GOOD, BAD, quiet=True).splitlines()) == 3


def test_a_quiet_load_prints_nothing_but_what_is_wrong(tmp_path: Path) -> None:
    away = {
        "HOME": str(tmp_path),
        "CALLHOUSE__SOURCES__WHIPPY__API_KEY": "canary-1",
        "CALLHOUSE__SOURCES__WHIPPY__BASE_URL": "http://127.0.0.1:9",
        "CALLHOUSE__SOURCES__WHIPPY__PATIENCE_SECONDS": "1",
    }
    done = callhouse(tmp_path, away, "load", "--quiet")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("whippy (127.0.0.1:9) cannot be reached")
    assert done.stdout == ""


@pytest.mark.soak
def test_a_profile_names_every_model_and_check_with_its_rows(tmp_path: Path) -> None:
    raw = RawFiles(tmp_path)
    raw.load("whippy", [whippy_call("a", NOW - DAY), whippy_call("b", NOW - DAY)])
    place = {"CALLHOUSE__WAREHOUSE": str(raw.folder)}
    build = ("transform", "--profile", "--now", f"{NOW:%Y-%m-%d}")
    done = callhouse(tmp_path, place, *build, "--json")
    assert not done.returncode, done.stderr
    steps = json.loads(done.stdout)["steps"]
    rows = {one["step"]: one["rows"] for one in steps}
    assert rows["facts/fact_calls.sql"] == 2
    assert rows["facts/cost_pivot.check.sql"] is None
    files = {one.relative_to(MODELS).as_posix() for one in MODELS.rglob("*.sql")}
    ran = {one for one in files if not one.endswith(".rebuild.sql")}
    assert {
        one for one in ran - {*rows} if "/whippy/" in one or "staging/" not in one
    } == set()
    costs = [one["cpu_seconds"] for one in steps]
    assert costs == sorted(costs, reverse=True)
    shown_again = callhouse(tmp_path, place, *build).stdout
    assert "facts/fact_calls.sql" in shown_again
    assert "facts" not in callhouse(tmp_path, place, "transform").stdout
