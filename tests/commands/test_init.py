"""Credentials are asked for, written down for their owner alone, and tried."""

import stat
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner
from vendor_server import Answer, VendorServer

from pipelines.cli.app import app
from pipelines.config.loader import read_config

SECRET = "canary-key"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(server: VendorServer | None, *words: str, typed: str) -> Result:
    url = server.url if server else "http://127.0.0.1:1"
    place = {"CALLHOUSE__SOURCES__WHIPPY__BASE_URL": url}
    return CliRunner().invoke(app, ["init", *words], input=typed, env=place)


def test_an_account_is_written_tried_and_never_overwritten(
    here: Path, scripted: VendorServer
) -> None:
    scripted.always = lambda *_: Answer(b'{"data": [], "total": 0}')
    done = init(scripted, typed=f"whippy\n{SECRET}\n")
    assert done.exit_code == 0, done.stderr
    assert "whippy main may read calls" in done.stdout
    assert "next: callhouse run" in done.stdout
    assert SECRET not in done.output
    (asked,) = scripted.got
    assert asked.headers["x-whippy-key"] == SECRET
    file = here / "config/secrets.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    written = file.read_bytes()
    again = init(scripted, "--vendor", "whippy", typed="other\n")
    assert again.exit_code == 2
    assert "whippy main is configured already, and stays as it is" in again.stderr
    assert file.read_bytes() == written

    second = init(
        scripted, "--vendor", "whippy", "--account", "b.2", "--offline", typed='a"\\b\n'
    )
    assert second.exit_code == 0, second.stderr
    assert file.read_bytes().startswith(written.rstrip())
    (vendor,) = read_config(here / "config").vendors
    keys = {one.alias: one.settings.api_key for one in vendor.accounts}  # type: ignore[attr-defined]
    assert keys == {"main": SECRET, "b.2": 'a"\\b'}
    assert len(scripted.got) == 1, "--offline asks nobody"


def test_what_a_vendor_refuses_is_told_and_kept(
    here: Path, scripted: VendorServer
) -> None:
    scripted.always = lambda *_: Answer(b'{"error": "no"}', 401)
    done = init(scripted, "--vendor", "whippy", typed=f"{SECRET}\n")
    assert done.exit_code == 1
    assert "whippy main may not read calls: whippy (127.0.0.1:" in done.stdout
    assert SECRET not in done.output
    assert (here / "config/secrets.toml").exists()


def test_a_key_of_several_lines_comes_from_a_file(here: Path) -> None:
    pem = "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n"
    (here / "key.pem").write_text(pem)
    words = ("--vendor", "voximplant", "--offline")
    done = init(None, *words, typed="1\nk\n@key.pem\n")
    assert done.exit_code == 0, done.stderr
    assert "canary" not in done.output
    (vendor,) = read_config(here / "config").vendors
    assert vendor.accounts[0].settings.private_key == pem.strip()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "typed", "says"),
    [
        (("--vendor", "zom"), "", "did you mean 'zoom'?"),
        (("--vendor", "whippy", "--account", "a:b"), "", "cannot be called 'a:b'"),
        (("--vendor", "whippy"), "@nowhere\n", "nowhere cannot be read: No such file"),
        (("--vendor", "whippy"), "@binary\n", "binary is not a text file in UTF-8"),
        (("--vendor", "whippy"), "ключ\n", "has a character in it that no such key"),
        (("--vendor", "whippy"), "@empty\n", "whippy main lacks a credential"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is_made(
    here: Path, words: tuple[str, ...], typed: str, says: str
) -> None:
    (here / "binary").write_bytes(b"\xff\xfe\x00")
    (here / "empty").write_bytes(b"")
    done = init(None, *words, typed=typed)
    assert done.exit_code == 2, done.output
    assert says in done.stderr
    assert not (here / "config/secrets.toml").exists()


def test_a_section_that_is_not_filled_in_is_left_to_its_owner(here: Path) -> None:
    (here / "config").mkdir()
    file = here / "config/secrets.toml"
    file.write_text('[sources.whippy.accounts.main]\napi_key = ""\n')
    file.chmod(0o600)
    done = init(None, "--vendor", "whippy", typed="k\n")
    assert done.exit_code == 2
    assert "has a section [sources.whippy.accounts.main] already" in done.stderr


def test_a_folder_that_cannot_be_written_is_told(here: Path) -> None:
    (here / "config").mkdir()
    (here / "config/secrets.toml.incoming").mkdir()
    done = init(None, "--vendor", "whippy", typed="k\n")
    assert done.exit_code == 2
    assert "secrets.toml cannot be written: Is a directory; mend that" in done.stderr
