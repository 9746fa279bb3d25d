"""No command ends in a traceback, nor in success, whatever it is given."""

import os
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.commands.build import build_and_publish
from pipelines.config.loader import read_config
from pipelines.warehouse.paths import Warehouse

Case = Mapping[str, Any]
DATA = Path(__file__).with_name("wrong_inputs.toml")
STEERING = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def cases() -> Iterator[Any]:
    for group in tomllib.loads(DATA.read_text("utf-8"))["group"]:
        for number, case in enumerate(group["cases"], start=1):
            whole = {
                "published": group.get("published", False),
                "exit": 2,
                **case,
                "env": {**group.get("env", {}), **case.get("env", {})},
            }
            yield pytest.param(whole, id=f"{group['name']}, {number}: {case['run']!r}")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a published file without calls."""
    place = {"CALLHOUSE__WAREHOUSE": str(tmp_path_factory.mktemp("published"))}
    config = read_config(Path("nowhere"), place)
    return build_and_publish(config, datetime(2026, 11, 17, tzinfo=UTC))[1].resolve()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a new folder to run commands in, its user's home as well."""
    for name in [name for name in os.environ if name.startswith("CALLHOUSE")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    mask = os.umask(0o022)
    yield tmp_path
    os.umask(mask)


@pytest.mark.parametrize("case", list(cases()))
def test_wrong_inputs_are_refused_in_words(
    case: Case,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    for name in case.get("folders", ()):
        (here / name).mkdir(parents=True)
    for name, text in case.get("files", {}).items():
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        is_hex = text.startswith("hex:")
        path.write_bytes(bytes.fromhex(text[4:]) if is_hex else text.encode())
        if path.name == "secrets.toml":
            path.chmod(0o600)
    for name, target in case.get("links", {}).items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).symlink_to(target)
    for name, mode in case.get("modes", {}).items():
        (here / name).chmod(mode)
    if case["published"]:
        (here / "warehouse").mkdir()
        file: Path = request.getfixturevalue("published")
        Warehouse(here / "warehouse").published.symlink_to(file)
    for name, value in case["env"].items():
        monkeypatch.setenv(name, value)

    done = CliRunner().invoke(app, shlex.split(case["run"]))

    assert done.exit_code == case["exit"], done.stderr
    assert case["says"].format(here=here) in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "canary" not in done.output, "no secret is told"
    assert not STEERING.search(done.output)


def test_a_query_in_another_encoding_is_refused(here: Path, published: Path) -> None:
    """A shell hands over bytes that are not UTF-8 as halves of surrogate pairs."""
    (here / "warehouse").mkdir()
    Warehouse(here / "warehouse").published.symlink_to(published)
    done = CliRunner().invoke(app, ["query", "select '\udcff'"])
    assert (done.exit_code, "the query is not UTF-8" in done.stderr) == (4, True)


def test_the_inputs_are_many() -> None:
    assert len(list(cases())) >= 120
