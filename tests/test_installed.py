"""Installed from its wheel, without a checkout, every command works anywhere."""

import compileall
import json
import os
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import PATIENCE

ROOT = Path(__file__).parents[1]
Run = Callable[..., str]
COMMANDS = """
import json, sys
from pipelines.cli.app import main

for words in json.loads(sys.argv[1]):
    sys.argv = ["callhouse", *words]
    try:
        main()
    except SystemExit as end:
        if end.code:
            sys.exit(f"{words} ends with {end.code}")
"""
"""One after the other in one process, which imports them all once."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a way to run commands as an installer has put them somewhere."""
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

    def run(*commands: str) -> str:
        words = json.dumps([shlex.split(one) for one in commands])
        done = subprocess.run(
            [sys.executable, "-c", COMMANDS, words],
            cwd=empty,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(empty),
                "PYTHONPATH": str(site),
                "CALLHOUSE__HISTORY_DAYS": "3",
            },
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

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
    night = installed("run --sandbox --vendor whippy --json")
    assert json.loads(night)["complete"]
    installed(
        "status",
        "verify --sandbox --vendor whippy",
        "doctor",
        "schedule show --as kubernetes",
        "transform --full",
        "export dbt exported",
        "quarantine list",
        "report",
        "backfill --sandbox --vendor whippy --from 2026-01-01 --dry-run",
    )
    found = installed("query --json 'select call_key from fact_calls limit 1'")
    (row,) = json.loads(found)
    assert row["call_key"] in installed(f"explain {row['call_key']}")
