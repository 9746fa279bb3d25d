"""Installed from its wheel, without a checkout, every command works anywhere."""

import compileall
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import PATIENCE

ROOT = Path(__file__).parents[1]
Run = Callable[..., subprocess.CompletedProcess[str]]
MAIN = (
    "import sys; from pipelines.cli.app import main; sys.argv[0] = 'callhouse'; main()"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a way to run the command as an installer has put it somewhere."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    assert compileall.compile_dir(site, quiet=2)
    empty = folder / "empty"
    empty.mkdir()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", MAIN, *arguments],
            cwd=empty,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(empty),
                "PYTHONPATH": str(site),
            },
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    where = subprocess.run(
        [sys.executable, "-c", "import pipelines; print(pipelines.__file__)"],
        cwd=empty,
        env={"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert where.stdout.startswith(str(site)), "the checkout is imported, not the wheel"
    return run


def test_every_command_works_from_an_empty_folder(installed: Run) -> None:
    night = installed("run", "--sandbox", "--vendor", "whippy", "--json")
    assert night.returncode == 0, night.stderr
    assert json.loads(night.stdout)["complete"]
    for arguments, code in (
        ("status", 0),
        ("verify --sandbox --vendor whippy", 0),
        ("doctor", 0),
        ("transform --full", 0),
        ("export dbt exported", 0),
        ("quarantine list", 0),
        ("backfill --sandbox --vendor whippy --from 2026-01-01 --dry-run", 0),
    ):
        done = installed(*arguments.split())
        assert done.returncode == code, (arguments, done.stderr)
    found = installed("query", "--json", "select call_key from fact_calls limit 1")
    (row,) = json.loads(found.stdout)
    told = installed("explain", row["call_key"])
    assert told.returncode == 0, told.stderr
